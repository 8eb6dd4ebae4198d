from __future__ import annotations

from webhooks.records import settle_model, settle_rate


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
