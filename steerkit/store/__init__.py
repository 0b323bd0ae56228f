"""The only place that knows SQLite. Level 7.

A `Store` is one open database with one shelf for each kind of thing: `catalog` (models, traits,
questions, prompts), `runs`, `texts` (completions, answers, judgements, vettings), `vectors`,
`steps` (series and their steps), `findings` and `views` (everything that is printed).
"""

from steerkit.store.store import Store

__all__ = ["Store"]
