from __future__ import annotations

import re
from pathlib import Path

from reviewer.settings import Settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_every_setting_is_in_the_readme_and_no_other():
    table = README.split("## Settings")[1].split("## ")[0]
    named = set(re.findall(r"`([A-Z][A-Z_]+)`", table))

    assert named == {name.upper() for name in Settings.model_fields}


def test_every_path_the_readme_links_is_there():
    for path in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / path).exists(), path
