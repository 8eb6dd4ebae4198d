"""A clean installation has whatever the packages import."""

import ast
import sys
import tomllib
from importlib.metadata import packages_distributions, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
OURS = {"reviewer", "webhooks"}


def imported() -> set[str]:
    found: set[str] = set()
    for package in OURS:
        for path in (ROOT / package).rglob("*.py"):
            if "sample" in path.parts:
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    found |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    found.add(node.module.partition(".")[0])
    return found - OURS - set(sys.stdlib_module_names)


def installed(wanted: list[str]) -> set[str]:
    """The distributions that these requirements bring, and what those bring in turn."""
    found: set[str] = set()
    seen: set[tuple[str, str]] = set()
    left = [(Requirement(text), "") for text in wanted]
    while left:
        requirement, extra = left.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        found.add(name)
        for chosen in {"", *requirement.extras} - {of for known, of in seen if known == name}:
            seen.add((name, chosen))
            left += [(Requirement(text), chosen) for text in requires(name) or ()]
    return found


def test_what_is_imported_is_installed_without_the_tools_of_developers():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    brought = installed(project["dependencies"])
    names = packages_distributions()

    missing = {
        module
        for module in imported()
        if not brought & {canonicalize_name(name) for name in names.get(module, ())}
    }

    assert missing == set()
