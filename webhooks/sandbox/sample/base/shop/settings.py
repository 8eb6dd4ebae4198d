"""Settings from a YAML file."""

from pathlib import Path

import yaml

DEFAULTS = {"currency": "EUR", "page_size": 20}


def read(path: Path) -> dict:
    """The settings of `path` over the defaults."""
    return {**DEFAULTS, **yaml.safe_load(path.read_text())}
