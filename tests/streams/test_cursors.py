"""Positions go out so that nobody can compare them, and come back as they were."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.exceptions import HTTPException

from reviewer.store.database import open_database
from webhooks.access.keys import Keys
from webhooks.streams.cursors import Cursors

CURSORS = Cursors(b"a made-up key of 32 bytes length")


@given(st.integers(0, 2**63 - 1))
def test_a_position_comes_back_as_it_was(position):
    text = CURSORS.write(position)

    assert CURSORS.read(text) == position
    assert len(text) == 22
    assert text.isascii()


def test_neighbours_have_nothing_in_common():
    first, second = CURSORS.write(1), CURSORS.write(2)

    assert sum(a == b for a, b in zip(first, second, strict=True)) < 8


@pytest.mark.parametrize(
    "text",
    ["1", "0", "", "x" * 22, "é" * 22, CURSORS.write(5)[:-1], CURSORS.write(5) + "A", CURSORS.write(5) + "="],
)
def test_what_is_none_of_ours_is_refused_with_a_sentence(text):
    with pytest.raises(HTTPException, match="no id of an event of ours") as refused:
        CURSORS.read(text)
    assert refused.value.status_code == 400


def test_a_cursor_of_another_host_is_refused():
    with pytest.raises(HTTPException):
        CURSORS.read(Cursors(b"another made-up key of 32 bytes.").write(5))


async def test_processes_that_start_together_agree_on_one_key(database_url):
    async def one() -> str:
        async with open_database(database_url, Path("unused")) as database:
            return Cursors(await Keys(database).get("cursors")).write(7)

    assert len(set(await asyncio.gather(*(one() for _ in range(4))))) == 1
