from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.sandbox.hub import Hub, hub


@pytest.fixture(name="hub")
async def hub_(tmp_path: Path) -> AsyncIterator[Hub]:
    async with hub(tmp_path) as running:
        yield running
