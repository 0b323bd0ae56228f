"""Findings: statements with a verdict, one row for each kind and subject."""

import json
from dataclasses import asdict
from typing import Any

from steerkit.records import Finding
from steerkit.store.connection import Connection

__all__ = ["FindingShelf"]


class FindingShelf:
    """A finding that is made again replaces its own row and keeps its id."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def add(self, finding: Finding) -> int:
        """Store a finding; its id."""
        values = asdict(finding)
        values.pop("id")
        values["evidence_json"] = json.dumps(values.pop("evidence"), sort_keys=True)
        key = {name: values.pop(name) for name in ("kind", "subject")}
        return self._db.ensure("findings", key, values)

    def all(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Every finding (of one kind), in the order it was first made."""
        return self._db.rows(
            "SELECT * FROM findings WHERE ?1 IS NULL OR kind = ?1 ORDER BY kind, id", [kind]
        )
