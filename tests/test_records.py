from __future__ import annotations

import asyncio

from tests.pull_requests import desk, opened
from webhooks.records import end_unshown, settle_model, settle_rate

_WAITS = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


async def test_a_review_that_runs_again_plans_at_the_rate_and_with_the_model_of_its_first_run(database):
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO reviews (id, installation, repository, pull_request, head_sha, title, url)"
            " VALUES ('r', 1, 'octo/calc', 1, 'a', 'Subtract', '')"
        )

        assert await settle_rate(connection, "r", 2.2) == 2.2
        assert await settle_rate(connection, "r", 2.6) == 2.2
        assert await settle_model(connection, "r", "first") == "first"
        assert await settle_model(connection, "r", "second") == "first"


async def test_a_review_whose_check_run_is_about_to_be_made_is_not_taken_for_one_that_is_not_shown(database):
    async with desk(database) as found:
        review = (await found.tell(opened())).review
        assert review is not None

        async def end() -> set[str]:
            async with database.connection() as connection:
                return await end_unshown(connection, [review])

        async with database.connection() as connection:
            await (await found.lease(review)).hold(connection)
            await connection.execute(
                "INSERT INTO intents (review, key, run) VALUES (%(r)s, 'check', 0)", {"r": review}
            )
            ending = asyncio.create_task(end())
            while not await found.rows(_WAITS):  # noqa: ASYNC110 - PostgreSQL tells nobody
                await asyncio.sleep(0.01)
        assert await ending == set()
