from __future__ import annotations

from webhooks.payloads import WantedHead
from webhooks.records import open_review, settle_rate

HEAD = WantedHead(
    installation=1,
    repository="octo/calc",
    number=1,
    head_sha="a" * 40,
    base_ref="main",
    title="Subtract",
    url="https://github.example/octo/calc/pull/1",
    draft=False,
)


async def test_a_review_that_runs_again_plans_at_the_rate_of_its_first_run(database):
    async with database.connection() as connection:
        review = await open_review(connection, HEAD)

        assert await settle_rate(connection, review.id, 2.2) == 2.2
        assert await settle_rate(connection, review.id, 2.6) == 2.2
