"""SQL kept in files: each query begins with `-- name: NAME`."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import LiteralString, cast

from psycopg.sql import SQL

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


@cache
def text(package: str, file: str, name: str) -> LiteralString:
    """The text of the query called `name` in a `.sql` file of `package`."""
    pieces = _NAME.split(files(package).joinpath(file).read_text(encoding="utf-8"))
    queries = dict(zip(pieces[1::2], pieces[2::2], strict=True))
    # A file of the package is as literal as a string in the code
    return cast("LiteralString", queries[name].strip())


@cache
def query(package: str, file: str, name: str) -> SQL:
    """The same as psycopg composes it."""
    return SQL(text(package, file, name))


def script(package: str, file: str) -> SQL:
    """A whole file, to be run without parameters."""
    return SQL(cast("LiteralString", files(package).joinpath(file).read_text(encoding="utf-8")))
