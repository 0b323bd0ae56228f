"""Runs: which command was run, with what, and how it ended."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from steerkit.records import Run
from steerkit.store.connection import Connection

__all__ = ["RunShelf"]


class RunShelf:
    """One row for each command that computes."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def start(self, run: Run) -> Run:
        """Write the run as running; with its id."""
        run_id = self._db.insert(
            "runs",
            {
                "label": run.label,
                "command": run.command,
                "argv_json": json.dumps(run.argv),
                "config_json": json.dumps(run.config, sort_keys=True),
                "versions_json": json.dumps(run.versions, sort_keys=True),
                "git_commit": run.git_commit,
                "seed": run.seed,
                "started_utc": _now(),
                "status": "running",
            },
        )
        return replace(run, id=run_id)

    def finish(self, run: Run, status: str, summary: dict[str, Any] | None = None) -> None:
        """Mark the run done, failed or interrupted, with what it computed."""
        assert run.id is not None
        text = None if summary is None else json.dumps(summary, sort_keys=True)
        self._db.update(
            "runs", run.id, {"status": status, "finished_utc": _now(), "summary_json": text}
        )

    def all(self) -> list[dict[str, Any]]:
        """Every run, newest first."""
        return self._db.rows("SELECT * FROM runs ORDER BY id DESC")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
