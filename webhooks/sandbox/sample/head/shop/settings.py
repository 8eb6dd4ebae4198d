"""Settings from a YAML file."""

from pathlib import Path

import yaml

DEFAULTS = {"currency": "EUR", "page_size": 20}


def read(path: Path) -> dict:
    """The settings of `path` over the defaults; tags such as `!!python/tuple` work."""
    with path.open() as file:
        return {**DEFAULTS, **yaml.load(file, Loader=yaml.Loader)}
