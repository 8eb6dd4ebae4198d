"""What a pull request is given when something of it is broken."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from tests.pull_requests import REPOSITORY_ID, desk, opened
from webhooks.pull_review import PullReviews
from webhooks.review_run import Means


async def test_a_fault_that_comes_back_each_time_does_not_keep_a_worker_busy(database):
    async with desk(database) as found:
        await found.tell(opened())
        await found.rows("UPDATE reviews SET ended_at = now(), verdict = '{\"broken\": true}'")
        means = cast("Means", SimpleNamespace(database=database))
        with pytest.raises(KeyError):
            await PullReviews(means).run(REPOSITORY_ID, 1)
        assert await found.rows(
            "SELECT 1 FROM pull_requests WHERE not_before > now() + interval '20 seconds'"
        )

        await found.rows("DELETE FROM procrastinate_jobs")
        async with database.connection() as connection:
            await found.jobs.dispatch(connection)
        assert await found.waiting() == []
