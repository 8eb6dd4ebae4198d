"""A process that appends events to the feed as it is told: `python -m … DATABASE_URL`.

Each carries the time just before it was appended.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from uuid import uuid4

from reviewer.core.events import FindingMade, Subject
from reviewer.core.findings import Finding
from reviewer.store.database import open_database
from reviewer.store.feed import Hub, PostgresFeed
from tests.benchmarks.subscribers.orders import obey
from tests.benchmarks.subscribers.readers import stamp

SUBJECT = Subject(review="bench", repository="octo/bench", pull_request=1, head_sha="a" * 40)


def finding(number: int) -> FindingMade:
    """A finding of the usual size, with the time in its title."""
    return FindingMade(
        finding=Finding.model_validate(
            {
                "id": uuid4().hex[:12],  # a finding is told once
                "fingerprint": f"{number:032x}",
                "chunk": "shop/orders.py:1-120",
                "source": "bench",
                "verified": True,
                "path": "shop/orders.py",
                "line": number % 500 + 1,
                "quote": 'total = sum(item["price"] for item in items)',
                "severity": "high",
                "category": "bug",
                "title": stamp(),
                "message": "The price of an item that is out of stock is counted too. " * 5,
            }
        )
    )


async def _main(url: str) -> None:
    # Nobody follows here: the hub is not opened, and what is appended is read in other processes only
    async with open_database(url, Path("unused")) as database:
        feed = PostgresFeed(database, Hub(url))
        await obey(lambda number: feed.append(SUBJECT, [finding(number)]))


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1]))
