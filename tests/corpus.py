"""The real diffs that lie beside the project, and what git says of each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).parents[1].parent / "shared" / "data"

needs_corpus = pytest.mark.skipif(
    not DATA.is_dir(), reason="the shared data folder with real diffs is not beside this checkout"
)


def diffs() -> list[Path]:
    """Every diff of the corpus."""
    return sorted((DATA / "diffs").glob("*.diff"))


def truth() -> dict[str, list[list[str]] | None]:
    """By file name, rows of [added, removed, old path, new path]; None for combined diffs."""
    found: dict[str, Any] = json.loads((DATA / "diffs" / "TRUTH.json").read_text())
    return found
