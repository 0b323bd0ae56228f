"""What models wrote and what judges said of it: completions, answers, judgements, vettings."""

import json
from collections.abc import Sequence
from typing import Any

from steerkit.records import Judgement, JudgedItem, Unscored, Vetting
from steerkit.store.connection import Connection, digest

__all__ = ["TextShelf"]


class TextShelf:
    """Texts are stored before they are judged, judgements with the judge's raw reply."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def completions(self, model_id: int, trait_id: int, settings: str) -> list[dict[str, Any]]:
        """Stored completions under these settings, with polarity, pair and scenario_id."""
        return self._db.rows(
            "SELECT completions.*, scenarios.polarity, scenarios.pair, scenarios.text AS scenario "
            "FROM completions JOIN scenarios ON scenarios.id = completions.scenario_id "
            "WHERE model_id = ? AND trait_id = ? AND settings_sha256 = ? ORDER BY completions.id",
            [model_id, trait_id, settings],
        )

    def add_completions(self, rows: Sequence[dict[str, Any]]) -> None:
        """Store a batch of completions in one transaction."""
        with self._db.write():
            for row in rows:
                key = {
                    name: row[name] for name in ("scenario_id", "model_id", "settings_sha256")
                }
                self._db.ensure(
                    "completions",
                    key,
                    {name: value for name, value in row.items() if name not in key},
                )

    def answers(self, step_ids: Sequence[int]) -> list[dict[str, Any]]:
        """Stored answers of these steps with their questions, in the order they were made."""
        return self._db.rows(
            "SELECT answers.*, questions.text AS question FROM answers "
            "JOIN questions ON questions.id = answers.question_id "
            f"WHERE step_id IN ({', '.join('?' * len(step_ids))}) ORDER BY answers.id",
            step_ids,
        )

    def add_answers(self, rows: Sequence[dict[str, Any]]) -> None:
        """Store a batch of answers in one transaction."""
        with self._db.write():
            for row in rows:
                key = {name: row[name] for name in ("step_id", "question_id", "sample")}
                self._db.ensure(
                    "answers", key, {name: row[name] for name in row if name not in key}
                )

    def judged(
        self, owner: str, owner_ids: Sequence[int], criterion: str, judge: str
    ) -> dict[int, dict[str, Any]]:
        """Judgements by this judge, keyed by `owner` id ("answer_id" or "completion_id")."""
        if owner not in ("answer_id", "completion_id"):
            raise ValueError(owner)
        found = self._db.rows(
            f"SELECT * FROM judgements WHERE {owner} IN ({', '.join('?' * len(owner_ids))}) "  # noqa: S608
            "AND criterion = ? AND judge = ? AND repeat = 0",
            [*owner_ids, criterion, judge],
        )
        return {int(row[owner]): row for row in found}

    def add_judgements(
        self,
        owner: str,
        judged: Sequence[tuple[int, JudgedItem, Judgement | Unscored]],
    ) -> None:
        """Store a batch of judgements of answers or completions in one transaction."""
        columns = "criterion, judge, repeat, prompt_id, score, unscored_reason, reply, cache_key"
        sql = (
            f"INSERT INTO judgements ({owner}, {columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) "
            f"ON CONFLICT ({owner}, criterion, judge, repeat) WHERE {owner} IS NOT NULL "
            "DO UPDATE SET score = excluded.score, reply = excluded.reply, "
            "unscored_reason = excluded.unscored_reason, prompt_id = excluded.prompt_id"
        )
        with self._db.write():
            for owner_id, item, verdict in judged:
                scored = isinstance(verdict, Judgement)
                self._db.raw.execute(
                    sql,
                    (
                        owner_id,
                        verdict.criterion,
                        verdict.judge,
                        verdict.repeat,
                        verdict.prompt_id,
                        verdict.score if isinstance(verdict, Judgement) else None,
                        None if scored else verdict.reason,
                        verdict.reply,
                        digest(
                            verdict.judge, verdict.criterion, item.question, item.answer,
                            verdict.repeat,
                        ),
                    ),
                )  # fmt: skip

    def add_vettings(self, vettings: Sequence[Vetting]) -> None:
        """Store verdicts on completions in one transaction."""
        with self._db.write():
            for vetting in vettings:
                self._db.ensure(
                    "vettings",
                    {
                        "completion_id": vetting.completion_id,
                        "judgement_id": vetting.judgement_id,
                        "threshold": vetting.threshold,
                    },
                    {
                        "run_id": vetting.run_id,
                        "passed": int(vetting.passed),
                        "reason": vetting.reason,
                    },
                )

    def vettings(
        self, completion_ids: Sequence[int], judge: str
    ) -> dict[tuple[int, float], dict[str, Any]]:
        """Stored verdicts by this judge, keyed by (completion id, threshold)."""
        found = self._db.rows(
            "SELECT vettings.* FROM vettings "
            "JOIN judgements ON judgements.id = vettings.judgement_id "
            f"WHERE vettings.completion_id IN ({', '.join('?' * len(completion_ids))}) "  # noqa: S608
            "AND judgements.judge = ?",
            [*completion_ids, judge],
        )
        return {(int(row["completion_id"]), float(row["threshold"])): row for row in found}


def as_json(value: Any) -> str:
    """Compact JSON with stable keys."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
