"""Keys that all processes share: in the database, made by the first that needs one."""

from __future__ import annotations

import base64
import secrets

from cryptography.fernet import Fernet

from reviewer.store.database import Database
from reviewer.store.queries import query

_SQL = ("webhooks.sql", "access.sql")
_BYTES = 32


class Keys:
    """The keys by name; each is read once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, bytes] = {}

    async def get(self, name: str) -> bytes:
        """32 random bytes, the same for every process and for ever."""
        if name not in self._known:
            self._known[name] = await self._read(name)
        return self._known[name]

    async def seal(self, name: str) -> Fernet:
        """What encrypts and signs with that key."""
        return Fernet(base64.urlsafe_b64encode(await self.get(name)))

    async def _read(self, name: str) -> bytes:
        async with self._database.connection() as connection:
            made = {"name": name, "secret": secrets.token_bytes(_BYTES)}
            await connection.execute(query(*_SQL, "make_secret"), made)
            cursor = await connection.execute(query(*_SQL, "secret"), {"name": name})
            row = await cursor.fetchone()
        if row is None:
            raise AssertionError("what was just made, or found, is there: no key is ever deleted")
        return bytes(row[0])
