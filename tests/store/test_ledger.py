from __future__ import annotations

import pytest

from reviewer.core.budget import Payer
from reviewer.core.events import Usage
from reviewer.core.findings import ReportedFinding
from reviewer.core.recall import Remembered
from reviewer.ports import LedgerEntry
from reviewer.store.ledger import PostgresLedger

PAYER = Payer("r1", installation=7)
NOBODY = Payer("r2")
FOUND = ReportedFinding.model_validate(
    {
        "path": "x.py",
        "line": 3,
        "quote": "x = 1",
        "severity": "low",
        "category": "bug",
        "title": "t",
        "message": "m",
    }
)
ENTRY = LedgerEntry(
    (Remembered(FOUND, 2), Remembered(FOUND, None)), Usage(input=10, cached=3, output=5), 0.25, ("a note",)
)


@pytest.fixture
def ledger(database):
    return PostgresLedger(database)


async def age(database, days: float, key: str = "k") -> None:
    async with database.connection() as connection:
        await connection.execute(
            "UPDATE ledger SET used_at = now() - make_interval(secs => %s) WHERE key = %s",
            (days * 86_400, key),
        )


async def test_a_finished_chunk_is_found_again(ledger):
    assert await ledger.find(("k",), PAYER) is None

    await ledger.store("k", ENTRY, PAYER, "octo/shop")

    assert await ledger.find(("k",), PAYER) == ENTRY
    assert await ledger.find(("other",), PAYER) is None


async def test_a_second_result_takes_the_place_of_the_first(ledger):
    await ledger.store("k", ENTRY, PAYER, "octo/shop")
    other = LedgerEntry((), Usage(), None)

    await ledger.store("k", other, PAYER, "octo/shop")

    assert await ledger.find(("k",), PAYER) == other


OTHER = LedgerEntry((), Usage(output=1), None)


@pytest.mark.parametrize(
    ("keys", "found"), [(("a", "b"), ENTRY), (("b", "a"), OTHER), (("none", "b"), OTHER)]
)
async def test_of_several_keys_the_first_that_has_a_result_gives_it(ledger, keys, found):
    await ledger.store("b", OTHER, PAYER, "octo/shop")
    await ledger.store("a", ENTRY, PAYER, "octo/shop")

    assert await ledger.find(keys, PAYER) == found
    assert await ledger.find(("none", "nor this"), PAYER) is None


async def test_behind_a_row_that_no_longer_fits_the_next_key_counts(database, ledger):
    await ledger.store("a", ENTRY, PAYER, "octo/shop")
    await ledger.store("b", OTHER, PAYER, "octo/shop")
    async with database.connection() as connection:
        await connection.execute("UPDATE ledger SET entry = '[]' WHERE key = 'a'")

    assert await ledger.find(("a", "b"), PAYER) == OTHER


async def test_only_the_result_that_is_given_counts_as_used(database, ledger):
    for key in ("a", "b"):
        await ledger.store(key, ENTRY, PAYER, "octo/shop")
        await age(database, 31, key=key)

    await ledger.find(("a", "b"), PAYER)

    assert await ledger.expire(30) == 1
    assert await ledger.find(("a",), PAYER) == ENTRY


async def test_tenants_do_not_see_each_other(ledger):
    await ledger.store("k", ENTRY, PAYER, "octo/shop")
    await ledger.store("mine", ENTRY, NOBODY, "octo/shop")

    assert await ledger.find(("k",), Payer("r1", installation=8)) is None
    assert await ledger.find(("k",), NOBODY) is None
    assert await ledger.find(("mine",), PAYER) is None
    assert await ledger.find(("mine",), Payer("another review")) == ENTRY
    assert await ledger.find(("k",), Payer("another review", installation=7)) == ENTRY


async def test_a_key_is_a_tenant_of_its_own_whichever_installation_pays_for_it(ledger):
    key = Payer("r1", installation=7, api_key="ci")
    await ledger.store("bought by the key", ENTRY, key, "octo/shop")
    await ledger.store("bought by the installation", ENTRY, PAYER, "octo/shop")

    assert await ledger.find(("bought by the key",), Payer("r2", api_key="ci")) == ENTRY
    assert await ledger.find(("bought by the key",), PAYER) is None
    assert await ledger.find(("bought by the installation",), key) is None
    assert await ledger.find(("bought by the key",), Payer("r3", installation=7, api_key="other")) is None


async def test_one_key_holds_for_each_tenant_its_own_result(ledger):
    other = LedgerEntry((), Usage(), None)
    await ledger.store("k", ENTRY, PAYER, "octo/shop")
    await ledger.store("k", other, NOBODY, "octo/shop")

    assert await ledger.find(("k",), PAYER) == ENTRY
    assert await ledger.find(("k",), NOBODY) == other


@pytest.mark.parametrize("broken", ['{"findings": [{}]}', "[]", '{"findings": []}'])
async def test_a_row_that_no_longer_fits_is_absent(database, ledger, broken):
    await ledger.store("k", ENTRY, PAYER, "octo/shop")
    async with database.connection() as connection:
        await connection.execute("UPDATE ledger SET entry = %s::jsonb", (broken,))

    assert await ledger.find(("k",), PAYER) is None


async def test_a_tenant_that_leaves_is_forgotten_and_nobody_else(ledger):
    await ledger.store("k", ENTRY, PAYER, "octo/shop")
    await ledger.store("k2", ENTRY, PAYER, "octo/shop")
    await ledger.store("k", ENTRY, NOBODY, "octo/shop")

    assert await ledger.forget(7) == 2

    assert await ledger.find(("k",), PAYER) is None
    assert await ledger.find(("k",), NOBODY) == ENTRY


async def test_what_is_not_used_for_so_many_days_expires(database, ledger):
    await ledger.store("k", ENTRY, PAYER, "octo/shop")
    await ledger.store("young", ENTRY, PAYER, "octo/shop")
    await age(database, 30.1)
    await age(database, 29.9, key="young")

    assert await ledger.expire(30) == 1

    assert await ledger.find(("k",), PAYER) is None
    assert await ledger.find(("young",), PAYER) == ENTRY


@pytest.mark.parametrize("use", ["find", "store"])
async def test_what_is_used_or_stored_again_does_not_expire(database, ledger, use):
    await ledger.store("k", ENTRY, PAYER, "octo/shop")
    await age(database, 31)

    if use == "find":
        await ledger.find(("k",), PAYER)
    else:
        await ledger.store("k", ENTRY, PAYER, "octo/shop")

    assert await ledger.expire(30) == 0


@pytest.mark.parametrize(("hours", "written"), [(23, False), (25, True)])
async def test_use_is_noted_once_a_day_at_most(database, ledger, hours, written):
    await ledger.store("k", ENTRY, PAYER, "octo/shop")
    await age(database, hours / 24)

    await ledger.find(("k",), PAYER)

    async with database.connection() as connection:
        cursor = await connection.execute("SELECT used_at > now() - interval '1 hour' FROM ledger")
        assert await cursor.fetchone() == (written,)
