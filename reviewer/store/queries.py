"""SQL kept in files: each query begins with `-- name: NAME`."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import LiteralString, cast

from psycopg.sql import SQL

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


@cache
def query(package: str, file: str, name: str) -> SQL:
    """The query called `name` in a `.sql` file of `package`."""
    text = files(package).joinpath(file).read_text(encoding="utf-8")
    pieces = _NAME.split(text)
    queries = dict(zip(pieces[1::2], pieces[2::2], strict=True))
    # A file of the package is as literal as a string in the code
    return SQL(cast("LiteralString", queries[name].strip()))


def script(package: str, file: str) -> SQL:
    """A whole file, to be run without parameters."""
    return SQL(cast("LiteralString", files(package).joinpath(file).read_text(encoding="utf-8")))
