"""A temporary folder that holds a pull request's Python files under names of our own.

Paths in a diff are untrusted: they may climb (`..`), be absolute, hold a newline or be longer than a file
system allows. None of them is ever used as a name on disk.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

SUFFIXES = frozenset({".py", ".pyi", ".pyw"})
_SHEBANG = re.compile(r"#!\S*(?:/env +\S*|/)python[0-9.]*\s")


@dataclass(frozen=True, slots=True)
class Sheet:
    """One Python file at the head; `text` is decoded with `surrogateescape`."""

    path: str
    text: str

    @property
    def is_utf8(self) -> bool:
        """Whether every byte of it was."""
        return not any("\udc80" <= character <= "\udcff" for character in self.text)


@dataclass(frozen=True, slots=True)
class Workspace:
    """The folder to run in; `find` leads from a tool's file name back to the sheet."""

    folder: Path
    sheets: Mapping[str, Sheet]

    def find(self, name: str) -> Sheet | None:
        """The sheet a tool means by an absolute or relative file name."""
        return self.sheets.get("/".join(PurePosixPath(name).parts[-2:]))


def may_be_python(path: str) -> bool:
    """Whether the file's content is needed to tell; only a name without a dot can be a script."""
    name = path.rsplit("/", 1)[-1]
    return PurePosixPath(name).suffix.lower() in SUFFIXES or "." not in name


def is_python(path: str, text: str) -> bool:
    """Whether ruff and bandit have something to say about the file."""
    return PurePosixPath(path.rsplit("/", 1)[-1]).suffix.lower() in SUFFIXES or bool(_SHEBANG.match(text))


def is_package(path: str) -> bool:
    """Whether the file is a package's own, where an import is an export."""
    return path.rsplit("/", 1)[-1] in ("__init__.py", "__init__.pyi")


@contextmanager
def lay_out(sheets: Sequence[Sheet]) -> Generator[Workspace]:
    """Write the sheets, each into a numbered folder of its own, and remove everything afterwards."""
    with tempfile.TemporaryDirectory(prefix="sluice-", ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary).resolve() / "files"
        placed: dict[str, Sheet] = {}
        for number, sheet in enumerate(sheets, start=1):
            name = f"f{number:05}/{_name(sheet.path)}"
            target = folder / name
            target.parent.mkdir(parents=True)
            target.write_bytes(_readable(sheet.text))
            placed[name] = sheet
        folder.mkdir(exist_ok=True)
        yield Workspace(folder, placed)


def _name(path: str) -> str:
    """`__init__.py` stays one, as rules tell it apart; of other names only the kind matters."""
    name = path.rsplit("/", 1)[-1]
    if is_package(path):
        return name
    return "module.pyi" if name.lower().endswith(".pyi") else "module.py"


_LONE_RETURN = re.compile(r"\r(?!\n)")


def _readable(text: str) -> bytes:
    """UTF-8 whose lines the tools count as git does: to Python a lone carriage return ends a line."""
    return _LONE_RETURN.sub(" ", text).encode("utf-8", "replace")
