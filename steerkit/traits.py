"""Trait folders: `traits/<category>/<name>/` read into a Trait record. Level 3.

Knows no model and no judge. Files: `definition.md` (front matter and text), `positive.txt` and
`negative.txt` (one scenario a line; line i of both is a pair), `questions.txt` (one a line) and
`examples.jsonl` (labelled answers for judges).
"""

import difflib
import hashlib
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from steerkit import paths
from steerkit.errors import TraitError
from steerkit.records import Polarity, Question, Scenario, Trait, TraitExample

__all__ = ["check_trait", "list_traits", "load_trait", "read_examples", "split_questions"]

_FILES = ("definition.md", "positive.txt", "negative.txt", "questions.txt", "examples.jsonl")
_KEYS = ("positive_word", "negative_word", "system_prompt")
_NAME = re.compile(r"^[a-z0-9][a-z0-9_-]*/[a-z0-9][a-z0-9_-]*$")
_SPLIT_SALT = "steerkit questions v1: "


def list_traits() -> tuple[str, ...]:
    """Names of every trait folder that has a definition, sorted."""
    names = {
        "/".join(file.parent.parts[-2:])
        for root in paths.trait_roots()
        for file in root.glob("*/*/definition.md")
    }
    return tuple(sorted(names))


def load_trait(name: str) -> Trait:
    """Read and validate the trait `category/name`.

    Raises TraitError when there is no such trait or one of its files is malformed.
    """
    folder = _folder_of(name)
    missing = [file for file in _FILES if not (folder / file).is_file()]
    if missing:
        raise TraitError(
            f"files are missing: {', '.join(missing)}",
            subject=str(folder),
            hint="add them; prompts/traits/epistemic/optimism is an example of a whole trait",
        )
    front, body = _front_matter(folder / "definition.md")
    digest = hashlib.sha256()
    for file in _FILES:
        digest.update(file.encode() + b"\0" + (folder / file).read_bytes() + b"\0")
    return Trait(
        name=name,
        definition=body,
        positive_word=front["positive_word"],
        negative_word=front["negative_word"],
        system_prompt=front["system_prompt"],
        sha256=digest.hexdigest(),
        noun=str(front.get("noun") or "tone"),
        scenarios=_scenarios(folder),
        questions=split_questions(_lines(folder / "questions.txt")),
        examples=read_examples(folder / "examples.jsonl"),
    )


def split_questions(texts: list[str]) -> tuple[Question, ...]:
    """Give each question its split: in the order of sha256(salt + text), the first third selects.

    The split depends on nothing but the texts, and the result keeps their order.
    """
    order = sorted(texts, key=lambda text: hashlib.sha256((_SPLIT_SALT + text).encode()).digest())
    selected = set(order[: len(order) // 3])
    return tuple(Question(text, "select" if text in selected else "report") for text in texts)


def read_examples(path: Path) -> tuple[TraitExample, ...]:
    """Read labelled answers: one JSON object a line with question, answer, trait and coherence.

    Labels are numbers from 0 to 100, null or absent. Raises TraitError, naming the line.
    """
    examples = []
    for number, line in enumerate(_lines(path), 1):
        where = f"{path}, line {number}"
        try:
            row = json.loads(line)
        except ValueError as error:
            raise TraitError(f"not JSON: {error}", subject=where, hint="mend the line") from error
        if not isinstance(row, dict) or not all(
            isinstance(row.get(key), str) and row[key].strip() for key in ("question", "answer")
        ):
            raise TraitError(
                "an example needs a question and an answer, both text",
                subject=where,
                hint='write {"question": "...", "answer": "...", "trait": 80, "coherence": 95}',
            )
        examples.append(
            TraitExample(
                row["question"], row["answer"], _label(row, "trait", where),
                _label(row, "coherence", where),
            )
        )  # fmt: skip
    return tuple(examples)


def check_trait(name: str) -> dict[str, Any]:
    """Figures about a trait that need no model: counts, repeats, lengths, balance of labels.

    `problems` lists what should be mended, in words. Raises TraitError as load_trait does.
    """
    trait = load_trait(name)
    words = {
        polarity: [len(s.text.split()) for s in trait.scenarios if s.polarity == polarity]
        for polarity in ("positive", "negative")
    }
    seen = Counter(s.text for s in trait.scenarios) + Counter(q.text for q in trait.questions)
    labels = [e.trait for e in trait.examples if e.trait is not None]
    asked = {q.text for q in trait.questions}
    problems = [f"repeated: {text[:60]!r}" for text, count in seen.items() if count > 1]
    problems += [
        f"an example's question is also asked of targets: {e.question[:60]!r}"
        for e in trait.examples
        if e.question in asked
    ]
    above = sum(label > 50 for label in labels)
    if not labels or not 1 / 3 <= above / len(labels) <= 2 / 3:
        problems.append(f"{above} of {len(labels)} examples lie above 50: balance them")
    mean = {polarity: sum(counts) / max(len(counts), 1) for polarity, counts in words.items()}
    if abs(mean["positive"] - mean["negative"]) > 0.1 * max(mean.values()):
        problems.append(f"the polarities differ in mean length: {mean}")
    return {
        "trait": name,
        "pairs": len(words["positive"]),
        "mean_words": mean,
        "questions": {
            split: sum(q.split == split for q in trait.questions) for split in ("select", "report")
        },
        "examples": len(trait.examples),
        "problems": problems,
    }


def _folder_of(name: str) -> Path:
    roots = paths.trait_roots()
    if _NAME.match(name):
        for root in roots:
            if (root / name).is_dir():
                return root / name
    known = list_traits()
    near = difflib.get_close_matches(name, known, n=1)
    meant = f"did you mean {near[0]}? " if near else ""
    raise TraitError(
        "there is no such trait",
        subject=name,
        hint=f"{meant}known traits: {', '.join(known)} (steerkit traits list)",
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise TraitError(
            f"not UTF-8 at byte {error.start}", subject=str(path), hint="save the file as UTF-8"
        ) from error
    except OSError as error:
        raise TraitError(
            f"the file cannot be read: {error.strerror}",
            subject=str(path),
            hint="check the path and its permissions",
        ) from error


def _lines(path: Path) -> list[str]:
    # str.splitlines would also cut at U+2028 and the like, inside a text.
    lines = [line.strip() for line in _text(path).split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    for number, line in enumerate(lines, 1):
        if not line:
            raise TraitError(
                "an empty line would shift the pairs that follow it",
                subject=f"{path}, line {number}",
                hint="remove the line",
            )
    if not lines:
        raise TraitError("the file is empty", subject=str(path), hint="write one text a line")
    return lines


def _scenarios(folder: Path) -> tuple[Scenario, ...]:
    polarities: tuple[Polarity, ...] = ("positive", "negative")
    texts = {polarity: _lines(folder / f"{polarity}.txt") for polarity in polarities}
    counts = {polarity: len(lines) for polarity, lines in texts.items()}
    if counts["positive"] != counts["negative"]:
        raise TraitError(
            f"the scenarios are not paired: {counts['positive']} positive and "
            f"{counts['negative']} negative lines",
            subject=str(folder),
            hint="line i of positive.txt belongs to line i of negative.txt",
        )
    for polarity in polarities:
        repeated = [text for text, count in Counter(texts[polarity]).items() if count > 1]
        if repeated:
            raise TraitError(
                f"a {polarity} scenario appears twice: {repeated[0][:60]!r}",
                subject=str(folder / f"{polarity}.txt"),
                hint="replace the second one",
            )
    return tuple(
        Scenario(polarity, pair, text)
        for polarity in polarities
        for pair, text in enumerate(texts[polarity])
    )


def _front_matter(path: Path) -> tuple[dict[str, str], str]:
    match = re.match(r"^---\s*\n(.*?)\n---\s*\n(.*)$", _text(path), re.DOTALL)
    try:
        front = yaml.safe_load(match[1]) if match else None
    except yaml.YAMLError as error:
        raise TraitError(
            f"the front matter is not YAML: {error}", subject=str(path), hint="mend it"
        ) from error
    lacking = [key for key in _KEYS if not isinstance((front or {}).get(key), str)]
    if not isinstance(front, dict) or not match or lacking:
        raise TraitError(
            f"the front matter lacks {', '.join(lacking)}",
            subject=str(path),
            hint="start the file with ---, the keys "
            f"{', '.join(_KEYS)} as text, and --- before the definition",
        )
    return front, match[2].strip()


def _label(row: dict[str, Any], key: str, where: str) -> float | None:
    value = row.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
        raise TraitError(
            f"the label {key} must be a number from 0 to 100, or null",
            subject=f"{where}: {value!r}",
            hint="mend the line",
        )
    return float(value)
