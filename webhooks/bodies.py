"""Signed bytes to the JSON object they hold, whichever of GitHub's two content types they come in."""

from __future__ import annotations

import json
from math import isfinite
from typing import Any, NoReturn, cast
from urllib.parse import parse_qs

from reviewer.errors import BadPayload

_FORM = "application/x-www-form-urlencoded"
_MAX_FIELDS = 16  # GitHub sends one
_BYTE_ORDER_MARK = "\ufeff"


def decode(raw: bytes, content_type: str) -> dict[str, Any]:
    """The JSON object of a body: of its field `payload` where it is a form, else of all of it.

    Raises:
        BadPayload: no JSON object in UTF-8, or a key twice in it, a number beyond 64 bits, or too deep.
    """
    try:
        text = raw.decode()
        if content_type.partition(";")[0].strip().lower() == _FORM:
            text = _field(text)
        payload = json.loads(
            text.removeprefix(_BYTE_ORDER_MARK),
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_finite,
            parse_constant=_refuse,
        )
    except (ValueError, RecursionError) as error:
        raise BadPayload("the body is no JSON payload") from error
    if not isinstance(payload, dict):
        raise BadPayload("the payload is no JSON object")
    return cast("dict[str, Any]", payload)


def _field(form: str) -> str:
    fields = parse_qs(
        form.removeprefix(_BYTE_ORDER_MARK), strict_parsing=True, errors="strict", max_num_fields=_MAX_FIELDS
    )
    found = fields.get("payload", [])
    if len(found) != 1:
        raise ValueError("the form needs one field 'payload'")
    return found[0]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _integer(digits: str) -> int:
    number = int(digits)  # of thousands of digits it is a ValueError, too
    if not -(2**63) <= number < 2**63:
        raise ValueError("a number is beyond 64 bits")
    return number


def _finite(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):
        raise ValueError("a number is beyond 64 bits")
    return number


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
