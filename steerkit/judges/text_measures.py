"""Judge-free measures of a text: repetition, symbols, words that are none. Level 6, pure.

Knows no model. Every measure is a number from 0 to 1 unless it says otherwise.
"""

import re
import zlib
from collections import Counter

__all__ = ["distinct_2", "longest_repeat", "symbol_share", "text_measures", "zlib_ratio"]

_WORD = re.compile(r"\w+|[^\w\s]", re.UNICODE)


def text_measures(text: str) -> dict[str, float | None]:
    """All measures of a text by name; None where it is too short to say."""
    return {
        "distinct_2": distinct_2(text),
        "longest_repeat": longest_repeat(text),
        "zlib_ratio": zlib_ratio(text),
        "symbol_share": symbol_share(text),
    }


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def distinct_2(text: str) -> float | None:
    """Share of different pairs of neighbouring words; 1 repeats nothing. None below two words."""
    words = _words(text)
    pairs = list(zip(words, words[1:], strict=False))
    return len(set(pairs)) / len(pairs) if pairs else None


def longest_repeat(text: str) -> float | None:
    """Share of the characters that belong to words inside a repeated run of four words or more.

    A loop of single words counts: "so so so so so" is a run that repeats itself.
    """
    words = _words(text)
    if len(words) < 5:
        return 0.0 if words else None
    runs = [tuple(words[i : i + 4]) for i in range(len(words) - 3)]
    counts = Counter(runs)
    inside = [False] * len(words)
    for start, run in enumerate(runs):
        if counts[run] > 1:
            inside[start : start + 4] = [True] * 4
    total = sum(len(word) for word in words)
    return sum(len(word) for word, flag in zip(words, inside, strict=True) if flag) / total


def zlib_ratio(text: str) -> float | None:
    """Compressed over plain bytes: about 0.6 for a paragraph, far less for a loop."""
    data = text.encode()
    return min(len(zlib.compress(data, 9)) / len(data), 1.5) if data else None


def symbol_share(text: str) -> float | None:
    """Share of the visible characters that are neither letters nor ordinary punctuation."""
    visible = [c for c in text if not c.isspace()]
    if not visible:
        return None
    return sum(not (c.isalpha() or c in ".,;:!?'\"()-’“”") for c in visible) / len(visible)
