"""Prompt files: versioned artefacts with `$name` variables. Level 3.

Knows no model and no judge. A file is `<folder>/<name>.v<version>.txt`; its hash is stored with
every judgement. A shipped file is frozen by `prompts/LOCK`: a change is a new version.
"""

import hashlib
import re
from functools import cache
from string import Template

from steerkit import paths
from steerkit.errors import PromptError
from steerkit.records import Prompt

__all__ = ["fill", "load_prompt", "stop_text"]

_NAME = re.compile(r"^(?P<stem>[a-z0-9_/]+)\.v(?P<version>\d+)$")


@cache
def load_prompt(name: str) -> Prompt:
    """Read the prompt `folder/stem.vN`, for example `judge/local_trait.v1`.

    Raises PromptError when there is no such file or the name has another form.
    """
    match = _NAME.match(name)
    path = paths.prompts_dir() / f"{name}.txt"
    if not match or not path.is_file():
        known = sorted(
            str(file.relative_to(paths.prompts_dir()).with_suffix(""))
            for file in paths.prompts_dir().glob("*/*.v*.txt")
        )
        raise PromptError(
            "there is no such prompt file", subject=name, hint=f"known prompts: {', '.join(known)}"
        )
    text = path.read_text(encoding="utf-8")
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Prompt(name=match["stem"], version=int(match["version"]), sha256=digest, text=text)


def fill(prompt: Prompt, **values: str) -> str:
    """Put `values` in place of the prompt's variables.

    Raises PromptError when a variable has no value or a value has no variable.
    """
    template = Template(prompt.text)
    wanted, given = set(template.get_identifiers()), set(values)
    if wanted != given:
        raise PromptError(
            f"variables do not match: missing {sorted(wanted - given)}, "
            f"unknown {sorted(given - wanted)}",
            subject=f"{prompt.name} version {prompt.version}",
            hint="mend the prompt file or its caller",
        )
    return template.substitute(values)


def stop_text(prompt: Prompt) -> str:
    """Where a raw answer ends: what follows when the prompt's own form starts again.

    For a form of "Question: $question\\nAnswer:" that is "\\nQuestion:".
    """
    return "\n" + prompt.text.partition("$")[0].strip()
