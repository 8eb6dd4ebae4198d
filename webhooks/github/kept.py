"""Answers kept for their ETags: GitHub does not count a 304, and its body need not come twice.

https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#use-conditional-requests
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

from webhooks.github.wire import Answer

MOST_BYTES = 32_000_000
MOST_BYTES_OF_ONE = 2_000_000

Key = tuple[int, str, str]
"""Installation, URL with its parameters, and the type that was asked for."""


def key_of(installation: int, path: str, accept: str, params: Mapping[str, str] | None) -> Key:
    """The key of a GET; another installation's answer is never given."""
    asked = "&".join(f"{name}={value}" for name, value in sorted((params or {}).items()))
    return installation, f"{path}?{asked}" if asked else path, accept


class KeptAnswers:
    """The answers used last, up to a number of bytes."""

    def __init__(self, most_bytes: int = MOST_BYTES, most_bytes_of_one: int = MOST_BYTES_OF_ONE) -> None:
        self._most = most_bytes
        self._most_of_one = most_bytes_of_one
        self._kept: OrderedDict[Key, Answer] = OrderedDict()
        self._size = 0

    def find(self, key: Key) -> Answer | None:
        """The answer that is kept; it has an `etag`."""
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def keep(self, key: Key, answer: Answer) -> None:
        """Keep a good answer in the place of the one before, unless a 304 could not tell of growth."""
        known = self._kept.pop(key, None)
        if known is not None:
            self._size -= len(known.body)
        if answer.status != 200 or "etag" not in answer.headers or len(answer.body) > self._most_of_one:
            return
        if _may_be_followed(key, answer):
            return
        self._kept[key] = answer
        self._size += len(answer.body)
        while self._size > self._most:
            _, dropped = self._kept.popitem(last=False)
            self._size -= len(dropped.body)


def unchanged(known: Answer, answer: Answer) -> Answer:
    """What a 304 stands for: the answer that is kept, with the newer headers."""
    return Answer(known.status, {**known.headers, **answer.headers}, known.body)


def _may_be_followed(key: Key, answer: Answer) -> bool:
    """Whether this is a full last page of a listing: the next item leaves it, and its ETag, as it is."""
    size = parse_qs(urlsplit(key[1]).query).get("per_page", [""])[0]
    if not size.isdecimal() or answer.next_page is not None:
        return False
    try:
        found: Any = json.loads(answer.body)
    except ValueError:
        return False
    parts = cast("dict[str, Any]", found).values() if isinstance(found, dict) else (found,)
    return any(isinstance(part, list) and len(cast("list[Any]", part)) >= int(size) for part in parts)
