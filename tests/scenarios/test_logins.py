"""Stories of people who log in through GitHub, over the whole app."""

from __future__ import annotations

import json

import pytest

from tests.scenarios.app import make_repository, world
from tests.scenarios.outsiders import logged_in
from webhooks.access import credentials
from webhooks.sandbox.deliveries import redeliver


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    """Nothing that was found of a credential holds for a moment more."""
    monkeypatch.setattr(credentials, "FRESH_SECONDS", 0.0)


async def test_who_takes_back_what_they_gave_the_app_is_logged_out_everywhere(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    async with world(database_url, tmp_path) as app:
        repository = app.sandbox.add_repository("octo/calc", git_dir=folder, default_branch="main")
        async with (
            logged_in(app, "mona", repository) as laptop,
            logged_in(app, "mona", repository) as phone,
            logged_in(app, "hubot", repository) as other,
        ):
            told = await app.sandbox.revoke("mona")

            assert told.status_code == 202
            assert json.loads(told.response_body) == {"reason": "mona is logged out of 2 browsers"}
            assert [(await each.get("/me")).status for each in (laptop, phone, other)] == [401, 401, 200]


async def test_that_somebody_took_it_back_is_heard_once(database_url, tmp_path):
    async with world(database_url, tmp_path) as app:
        told = await app.sandbox.revoke("mona")
        again = await redeliver(app.sandbox.state, told)

        assert json.loads(told.response_body) == {"reason": "mona is logged out of 0 browsers"}
        assert "before" in json.loads(again.response_body)["ignored"]
