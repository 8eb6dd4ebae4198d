"""Whatever GitHub delivers is answered: taken, or ignored with a reason."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from tests import github_payloads as made
from tests.corpus import needs_corpus
from tests.scenarios.app import World, world
from tests.scenarios.test_review import signed
from tests.test_payload_examples import examples

FORK = {"ref": "main", "sha": made.HEAD, "repo": {"id": 12, "full_name": "mona/shop"}}
MADE: list[tuple[str, dict[str, Any]]] = [
    ("pull_request", made.pull_request("opened", head=FORK)),
    ("pull_request", made.pull_request("synchronize", head={**FORK, "repo": None})),
    ("issue_comment", made.issue_comment("/sluice review")),
    ("issue_comment", made.issue_comment("/sluice stop")),
    ("issue_comment", made.issue_comment("Nice!")),
    ("pull_request_review_comment", made.review_comment("/sluice review")),
    ("pull_request_review", made.review("/sluice stop")),
    ("check_run", made.check_run("requested_action", button="stop", pull_requests=[])),
    ("check_run", made.check_run("rerequested", pull_requests=[])),
    ("check_suite", made.check_suite("rerequested", pull_requests=[])),
    ("repository", made.repository("renamed")),
    ("installation_repositories", made.repositories_removed(11)),
    ("installation", made.installation("suspend")),
    ("installation", made.installation("deleted")),
]


def every() -> Iterator[tuple[str, dict[str, Any]]]:
    yield from examples()
    yield from MADE


@needs_corpus
@pytest.mark.parametrize("form", [False, True], ids=["json", "form"])
async def test_every_payload_is_taken_or_ignored_with_a_reason(database_url, tmp_path, form):
    answers: list[tuple[str, int, dict[str, Any]]] = []
    async with world(database_url, tmp_path) as app:
        for number, (event, payload) in enumerate(every()):
            answers.append((event, *await delivered(app, f"made-up-{number}", event, payload, form=form)))

    assert len(answers) == 113 + len(MADE)
    assert {status for _, status, _ in answers} == {202}
    assert all(
        answer.get("review") or answer.get("reason") or answer.get("ignored") for _, _, answer in answers
    )


async def delivered(
    app: World, guid: str, event: str, payload: dict[str, Any], *, form: bool
) -> tuple[int, dict[str, Any]]:
    body = json.dumps(payload).encode()
    kind = "application/json"
    if form:
        body, kind = urlencode({"payload": body}).encode(), "application/x-www-form-urlencoded"
    headers = {
        "Content-Type": kind,
        "X-GitHub-Delivery": guid,
        "X-GitHub-Event": event,
        "X-Hub-Signature-256": signed(body),
    }
    async with app.http.post(f"{app.url}/webhooks/github", data=body, headers=headers) as answer:
        return answer.status, await answer.json()
