from __future__ import annotations

from reviewer.core.events import Subject, Usage
from reviewer.core.findings import ReportedFinding
from reviewer.ports import LedgerEntry
from reviewer.store.ledger import PostgresLedger

SUBJECT = Subject(review="r1", repository="octo/shop")
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
ENTRY = LedgerEntry((FOUND,), 2, Usage(input=10, cached=3, output=5), 0.25, ("a note",))


async def test_a_finished_chunk_is_found_again_and_its_usage_settled(database):
    ledger = PostgresLedger(database)

    assert await ledger.find("k") is None
    await ledger.store("k", ENTRY, SUBJECT)

    assert await ledger.find("k") == ENTRY
    async with database.connection() as connection:
        cursor = await connection.execute("SELECT review, input, cached, output, cost::float FROM usage")
        assert await cursor.fetchall() == [("r1", 10, 3, 5, 0.25)]


async def test_a_row_that_no_longer_fits_is_absent(database):
    ledger = PostgresLedger(database)
    await ledger.store("k", ENTRY, SUBJECT)
    async with database.connection() as connection:
        await connection.execute("""UPDATE ledger SET entry = '{"findings": [{}]}'""")

    assert await ledger.find("k") is None
