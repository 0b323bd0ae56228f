"""Judging stored texts: whatever a judge has not scored yet, stored criterion by criterion."""

from collections.abc import Sequence
from typing import Any

from steerkit.judges import Judge
from steerkit.pipeline.progress import Progress
from steerkit.records import Criterion, JudgedItem
from steerkit.store import Store

__all__ = ["judge_texts"]


def judge_texts(
    store: Store,
    judge: Judge,
    progress: Progress,
    owner: str,
    texts: Sequence[tuple[int, JudgedItem]],
    criteria: Sequence[Criterion],
) -> dict[Criterion, dict[int, float | None]]:
    """Scores by criterion and owner id ("answer_id" or "completion_id"); None where unscored.

    If any text of the batch lacks a criterion, the whole batch is judged on it again: in bfloat16
    a score depends a little on what it is computed with, so batches are kept whole.
    """
    scores: dict[Criterion, dict[int, float | None]] = {}
    ids = [owner_id for owner_id, _ in texts]
    for criterion in criteria:
        stored = store.texts.judged(owner, ids, criterion, judge.name)
        if len(stored) < len(texts):
            with progress.task(f"judging {criterion}", len(texts), "texts") as advance:
                verdicts = judge.score([item for _, item in texts], criterion, on_items=advance)
            store.texts.add_judgements(
                owner,
                [(i, item, verdict) for (i, item), verdict in zip(texts, verdicts, strict=True)],
            )
            stored = store.texts.judged(owner, ids, criterion, judge.name)
        scores[criterion] = {i: _score(stored[i]) for i in ids}
    return scores


def _score(row: dict[str, Any]) -> float | None:
    return None if row["score"] is None else float(row["score"])
