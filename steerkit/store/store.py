"""The open database with its shelves."""

from pathlib import Path

from steerkit.store.catalog import Catalog
from steerkit.store.connection import Connection, open_connection
from steerkit.store.findings import FindingShelf
from steerkit.store.runs import RunShelf
from steerkit.store.steps import StepShelf
from steerkit.store.texts import TextShelf
from steerkit.store.vectors import VectorShelf
from steerkit.store.views import ViewShelf

__all__ = ["Store"]


class Store:
    """One database. Close it, or use it in a `with` block."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.catalog = Catalog(connection)
        self.runs = RunShelf(connection)
        self.texts = TextShelf(connection)
        self.vectors = VectorShelf(connection)
        self.steps = StepShelf(connection)
        self.findings = FindingShelf(connection)
        self.views = ViewShelf(connection)

    @classmethod
    def open(cls, path: Path | str, *, read_only: bool = False) -> "Store":
        """Open, create or migrate the database at `path` (":memory:" for none on disk).

        Raises StoreError when it cannot be opened or is not ours.
        """
        return cls(open_connection(path, read_only=read_only))

    @property
    def path(self) -> str:
        """Where the database lies."""
        return self.connection.path

    def close(self) -> None:
        """Close the database."""
        self.connection.raw.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
