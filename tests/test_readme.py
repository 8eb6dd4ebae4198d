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


def test_every_place_in_the_table_of_folders_is_there():
    rows = re.findall(r"^\| (`.*?/.*?) \|", README.split("| folder |")[1].split("\n\n")[0], re.MULTILINE)
    named = [re.findall(r"`([^`]+)`", row) for row in rows]

    assert len(named) > 15
    for first, *others in named:
        folder = (ROOT / first).parent
        beside = [(ROOT if "/" in other.rstrip("/") else folder) / other for other in others]
        for path in [ROOT / first, *beside]:
            assert path.exists(), path


def test_every_path_the_readme_links_is_there():
    for path in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / path).exists(), path
