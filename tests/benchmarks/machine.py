"""What a table was measured on."""

from __future__ import annotations

import os
import platform


def machine() -> str:
    """Python, cores and system, in a line."""
    system = f"{platform.system()} {platform.machine()}"
    return f"Python {platform.python_version()}, {os.cpu_count()} cores, {system}"
