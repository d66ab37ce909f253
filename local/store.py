"""Data of the local service between starts, in a SQLite file: items of the tables, secrets, and other values.

Each write is committed before it is answered. A commit survives the end of this process, even by SIGKILL.
"""

from __future__ import annotations

import base64
import json
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from local.intrinsics import Json

Item = dict[str, "Json"]
"""An item in DynamoDB's JSON, such as {"pk": {"S": "ORG#1"}}."""

_TABLES = """
CREATE TABLE IF NOT EXISTS items (table_name TEXT, item_key TEXT, item TEXT, PRIMARY KEY (table_name, item_key));
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value TEXT);
"""
_SIDE_FILES = ("", "-wal", "-shm")


class StoreError(Exception):
    """The file cannot be used; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Store:
    """An open file. Threads may share it: SQLite's module serializes its use."""

    connection: sqlite3.Connection

    @classmethod
    def open(cls, path: Path, *, fresh: bool) -> Store:
        """Open a file, readable only for its owner, or create it.

        Args:
            path: the file.
            fresh: whether to delete an existing one first.

        Raises:
            StoreError: it is not a file of this kind.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        if fresh:
            for suffix in _SIDE_FILES:
                path.with_name(path.name + suffix).unlink(missing_ok=True)
        path.touch(mode=0o600)
        connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.executescript(_TABLES)
        except sqlite3.DatabaseError as error:
            connection.close()
            raise StoreError(f"{path}: {error}; begin anew with FRESH=1 make run") from error
        return cls(connection)

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    def save(self, items: Mapping[tuple[str, str], Item | None]) -> None:
        """Save items by table and key, all or none; None removes an item."""
        rows = [(*key, json.dumps(item, default=_base64)) for key, item in items.items() if item is not None]
        self.connection.execute("BEGIN")
        self.connection.executemany("DELETE FROM items WHERE table_name = ? AND item_key = ?", items)
        self.connection.executemany("INSERT INTO items VALUES (?, ?, ?)", rows)
        self.connection.execute("COMMIT")

    def items(self, table: str) -> Iterable[Item]:
        """Return the items of a table."""
        rows = self.connection.execute("SELECT item FROM items WHERE table_name = ?", (table,)).fetchall()
        return [json.loads(row[0]) for row in rows]

    def put(self, name: str, value: str) -> None:
        """Save a value under a name."""
        self.connection.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (name, value))

    def get(self, name: str) -> str | None:
        """Return the value of a name, or None."""
        row = self.connection.execute("SELECT value FROM state WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])


def _base64(value: object) -> str:
    """Return a binary value as DynamoDB's JSON has it."""
    if not isinstance(value, bytes):
        raise TypeError(type(value).__name__)
    return base64.b64encode(value).decode()
