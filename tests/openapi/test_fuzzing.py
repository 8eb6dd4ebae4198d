"""Whatever is sent, right or wrong: no server error, and no answer that the description does not tell of."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.openapi.judge import strict
from tests.scenarios.app import TOKEN, make_repository, open_change, world
from webhooks.openapi.document import document

PATIENCE = 120.0
"""Seconds after which a run that hangs is a failure; it takes about twenty."""

CONFIG = """\
hooks = {hooks}
request-timeout = 10
max-redirects = 0
headers = {{ Authorization = "Bearer {token}" }}

[generation]
deterministic = true
database = "none"
max-examples = 8

[phases.stateful]
enabled = false

[checks]
# A review that is looked for may not exist, and a word may be known to nobody
positive_data_acceptance.enabled = false
negative_data_rejection.enabled = true
"""


def prepared(review: str) -> dict[str, Any]:
    """The description with a review that there is as example, without the parameters that the hooks set.

    What streams hold is left to our own judge: by this version of OpenAPI their schema is that of their whole
    text, and schemathesis holds each event to it.
    """
    made = strict(document("0.0.0", None))
    made["components"]["parameters"]["id"]["example"] = review
    set_by_hooks = [{"$ref": f"#/components/parameters/{name}"} for name in ("follow", "prefer")]
    for _, operation in operations_of(made):
        parameters = operation.get("parameters", [])
        operation["parameters"] = [each for each in parameters if each not in set_by_hooks]
        for answer in operation["responses"].values():
            if "text/event-stream" in answer.get("content", {}):
                answer["content"]["text/event-stream"] = {}
    return made


def operations_of(description: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The operations by their `operationId`."""
    for operations in description["paths"].values():
        for operation in operations.values():
            yield operation["operationId"], operation


async def fuzzed(url: str, folder: Path, description: dict[str, Any]) -> tuple[int, str]:
    """The exit code of a run, and what it says."""
    hooks = Path(__file__).with_name("hooks.py")
    config = CONFIG.format(hooks=json.dumps(str(hooks)), token=TOKEN)
    (folder / "schemathesis.toml").write_text(config)
    (folder / "openapi.json").write_text(json.dumps(description))
    process = await asyncio.create_subprocess_exec(
        *(Path(sys.executable).with_name("schemathesis"), "--config-file", folder / "schemathesis.toml"),
        *("run", folder / "openapi.json", "--url", url, "--seed", "1", "--no-color"),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(PATIENCE):
            said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    return process.returncode or 0, said.decode()


async def test_nothing_that_is_sent_leads_to_a_fault_or_to_an_answer_that_is_not_described(
    database_url, tmp_path
):
    repository = await make_repository(tmp_path / "repo")
    async with world(database_url, tmp_path, sluice_requests_per_minute=0) as app:
        await open_change(app, repository)
        review = await app.newest_review()
        await app.until_end(review)
        description = prepared(review)
        code, said = await fuzzed(app.url, tmp_path, description)
        app.judge.demand_none()

        assert code == 0, said
        reached = {operation for operation, _ in app.judge.judged}
        assert {name for name, _ in operations_of(description)} - reached == set()
        assert app.judge.judged["getReview", 200], "the review that there is was never asked for"
