"""Opening the database and writing to it: pragmas, migrations, views, transactions.

Every write is a short BEGIN IMMEDIATE transaction, so that two writers wait for each other instead
of failing half-way, and none is ever held across a model or a judge. SQLite's exceptions are
translated here and nowhere else.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlite_utils import Database, Migrations

from steerkit import paths
from steerkit.errors import StoreError

__all__ = ["Connection", "digest", "open_connection"]

APPLICATION_ID = 0x53544B54  # "STKT", so that another application's file is not taken for ours
BUSY_TIMEOUT_MS = 10_000


def digest(*parts: Any) -> str:
    """sha256 of the parts as canonical JSON: the same content gives the same key."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


class Connection:
    """A SQLite connection that writes by content: `ensure` adds a row once and gives its id."""

    def __init__(self, raw: sqlite3.Connection, path: str) -> None:
        self.raw = raw
        self.path = path

    @contextmanager
    def write(self) -> Iterator[None]:
        """One transaction: all of it is stored or nothing. Nested use joins the outer one."""
        if self.raw.in_transaction:
            yield
            return
        with self.translated():
            self.raw.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                if self.raw.in_transaction:  # a full disk rolls back by itself
                    self.raw.rollback()
                raise
            self.raw.commit()

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """Run a query; each row as a dict by column name."""
        with self.translated():
            cursor = self.raw.execute(sql, tuple(values))
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def row(self, sql: str, values: Sequence[Any] = ()) -> dict[str, Any] | None:
        """The first row of a query, or None."""
        found = self.rows(sql, values)
        return found[0] if found else None

    def ensure(
        self, table: str, key: Mapping[str, Any], values: Mapping[str, Any] | None = None
    ) -> int:
        """The id of the row with this unique `key`; inserted, or its `values` updated in place.

        `table` and the column names come from our own code, the contents are bound.
        """
        values = values or {}
        names = [*key, *values]
        # An UPDATE that changes nothing still makes RETURNING give the id.
        changed = list(values) or [next(iter(key))]
        with self.write():
            cursor = self.raw.execute(
                f'INSERT INTO "{table}" ({", ".join(names)}) '  # noqa: S608
                f"VALUES ({', '.join('?' * len(names))}) "
                f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET "
                f"{', '.join(f'{name} = excluded.{name}' for name in changed)} RETURNING id",
                (*key.values(), *values.values()),
            )
            return int(cursor.fetchone()[0])

    def insert(self, table: str, values: Mapping[str, Any]) -> int:
        """Insert a row and give its id."""
        with self.write():
            cursor = self.raw.execute(
                f'INSERT INTO "{table}" ({", ".join(values)}) '  # noqa: S608
                f"VALUES ({', '.join('?' * len(values))}) RETURNING id",
                tuple(values.values()),
            )
            return int(cursor.fetchone()[0])

    def update(self, table: str, row_id: int, values: Mapping[str, Any]) -> None:
        """Change columns of one row."""
        with self.write():
            self.raw.execute(
                f'UPDATE "{table}" SET {", ".join(f"{name} = ?" for name in values)} '  # noqa: S608
                "WHERE id = ?",
                (*values.values(), row_id),
            )

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn SQLite's exceptions into StoreError."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise _store_error(error, self.path) from error


def open_connection(path: Path | str, *, read_only: bool = False) -> Connection:
    """Open (and, unless read-only, create and migrate) the database at `path`.

    Raises StoreError when the file is not ours, comes from a newer steerkit, or cannot be opened.
    """
    place = str(path)
    if read_only and not Path(place).is_file():
        raise StoreError(
            "there is no database yet", subject=place, hint="run an experiment first: make demo"
        )
    connection = Connection(_connect(place, read_only), place)
    try:
        with connection.translated():
            _prepare(connection, read_only)
    except BaseException:
        connection.raw.close()
        raise
    return connection


def _connect(place: str, read_only: bool) -> sqlite3.Connection:
    try:
        if not read_only and place != ":memory:":
            Path(place).parent.mkdir(parents=True, exist_ok=True)
        uri = f"{Path(place).resolve().as_uri()}?mode=ro" if read_only else place
        # isolation_level None: transactions begin where we say so, and nowhere else.
        return sqlite3.connect(uri, uri=read_only, isolation_level=None, timeout=10)
    except (sqlite3.Error, OSError) as error:
        raise _store_error(error, place) from error


def _prepare(connection: Connection, read_only: bool) -> None:
    raw = connection.raw
    raw.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    raw.execute("PRAGMA foreign_keys = ON")
    owner = raw.execute("PRAGMA application_id").fetchone()[0]
    is_empty = not raw.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if owner != APPLICATION_ID and not is_empty:
        raise StoreError(
            "the file is a database of another application",
            subject=connection.path,
            hint="choose another file: --db PATH",
        )
    database, migrations = Database(raw), _migrations()
    unknown = {m.name for m in migrations.applied(database)} - {
        m.name for m in migrations.pending(Database(memory=True))
    }
    if unknown:
        raise StoreError(
            f"the database was written by a newer steerkit ({', '.join(sorted(unknown))})",
            subject=connection.path,
            hint="update steerkit: git pull && make setup",
        )
    if read_only:
        return
    raw.execute("PRAGMA journal_mode = WAL")
    raw.execute("PRAGMA synchronous = NORMAL")
    with connection.write():
        raw.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        migrations.apply(database)
        _make_views(raw)


def _migrations() -> Migrations:
    migrations = Migrations("steerkit")
    for file in sorted((paths.resources_dir("db") / "migrations").glob("*.sql")):
        script = file.read_text(encoding="utf-8")

        def apply(db: Database, script: str = script) -> None:
            for statement in _statements(script):
                db.conn.execute(statement)

        migrations(name=file.stem)(apply)
    return migrations


def _make_views(raw: sqlite3.Connection) -> None:
    """Drop and make every view, unless they are exactly those of this version already."""
    scripts = [
        file.read_text(encoding="utf-8")
        for file in sorted((paths.resources_dir("db") / "views").glob("*.sql"))
    ]
    wanted = [statement for script in scripts for statement in _statements(script)]
    present = raw.execute("SELECT name, sql FROM sqlite_master WHERE type = 'view'").fetchall()
    if sorted(sql for _, sql in present) == sorted(_without_comments(text) for text in wanted):
        return
    for name, _ in present:
        raw.execute(f'DROP VIEW "{name}"')
    for statement in wanted:
        raw.execute(statement)


def _without_comments(statement: str) -> str:
    """The text SQLite keeps of a CREATE statement: from its first word to before its semicolon."""
    lines = statement.strip().splitlines()
    while lines and lines[0].startswith("--"):
        lines.pop(0)
    return "\n".join(lines).rstrip(";")


def _statements(script: str) -> Iterator[str]:
    """Split a script; sqlite3's executescript would commit the transaction it runs in."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement.strip()
            statement = ""


def _store_error(error: Exception, place: str) -> StoreError:
    text = str(error)
    hints = {
        "locked": "another steerkit command is writing; wait for it, or look: steerkit status",
        "not a database": "the file is not SQLite or is damaged; choose another: --db PATH",
        "malformed": "the file is damaged; restore a copy, or start another: --db PATH",
        "readonly": "make the file and its folder writable, or choose another: --db PATH",
        "full": "free some disk space and run the same command again: it continues",
        "unable to open": "check that the folder exists and is writable, or use --db PATH",
    }
    hint = next((text_ for part, text_ in hints.items() if part in text), None)
    return StoreError(
        f"the database refused: {text}", subject=place, hint=hint or "check the file, or use --db"
    )
