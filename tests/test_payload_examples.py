from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from tests.corpus import DATA, needs_corpus
from tests.github_payloads import read
from webhooks.news import Ignored, PullRequestChanged

NOTHING = "Ignored"
EXAMPLES: dict[str, dict[str | None, dict[str, int]]] = {
    "check_run": {
        "created": {NOTHING: 3},
        "completed": {NOTHING: 3},
        "requested_action": {NOTHING: 1},
        "rerequested": {"ReviewAgain": 2},
    },
    "check_suite": {
        "completed": {NOTHING: 4},
        "requested": {NOTHING: 3},
        "rerequested": {"ReviewAgain": 2},
    },
    "github_app_authorization": {"revoked": {"PersonGone": 2}},
    "installation": {
        "created": {NOTHING: 2},
        "deleted": {"InstallationGone": 2},
        "new_permissions_accepted": {NOTHING: 1},
        "suspend": {"InstallationGone": 1},
        "unsuspend": {NOTHING: 1},
    },
    "installation_repositories": {"added": {NOTHING: 2}, "removed": {"RepositoriesGone": 1}},
    "issue_comment": {"created": {NOTHING: 5}, "deleted": {NOTHING: 2}, "edited": {NOTHING: 2}},
    "label": {"created": {NOTHING: 3}, "deleted": {NOTHING: 2}, "edited": {NOTHING: 1}},
    "ping": {None: {NOTHING: 4}},
    "pull_request": {
        "assigned": {NOTHING: 2},
        "closed": {"PullRequestChanged": 2},
        "converted_to_draft": {"PullRequestChanged": 1, NOTHING: 2},
        "labeled": {"PullRequestChanged": 2},
        "locked": {NOTHING: 2},
        "opened": {"PullRequestChanged": 3, NOTHING: 1},
        "ready_for_review": {"PullRequestChanged": 1, NOTHING: 2},
        "reopened": {"PullRequestChanged": 2},
        "review_request_removed": {NOTHING: 1},
        "review_requested": {NOTHING: 1},
        "synchronize": {"PullRequestChanged": 1},
        "unassigned": {NOTHING: 2},
        "unlabeled": {"PullRequestChanged": 2},
        "unlocked": {NOTHING: 2},
    },
    "pull_request_review": {"dismissed": {NOTHING: 1}, "submitted": {NOTHING: 3}},
    "pull_request_review_comment": {"created": {NOTHING: 3}, "deleted": {NOTHING: 1}, "edited": {NOTHING: 1}},
    "pull_request_review_thread": {
        "resolved": {"ThreadSettled": 1, NOTHING: 1},
        "unresolved": {"ThreadSettled": 1},
    },
    "push": {None: {NOTHING: 7}},
    "repository": {
        "created": {NOTHING: 2},
        "edited": {NOTHING: 2},
        "privatized": {NOTHING: 2},
        "publicized": {NOTHING: 3},
        "renamed": {"RepositoryMoved": 1},
        "transferred": {"RepositoryMoved": 1, NOTHING: 2},
    },
    "star": {"created": {NOTHING: 2}, "deleted": {NOTHING: 1}},
}
"""What the real payloads tell, counted by hand; those without an installation are ignored."""


def examples() -> Iterator[tuple[str, dict[str, Any]]]:
    for event in json.loads((DATA / "webhooks-examples.json").read_text()):
        for payload in event["examples"]:
            yield event["name"], payload


@needs_corpus
def test_every_real_payload_is_read_or_ignored_with_a_reason():
    found: dict[str, dict[str | None, Counter[str]]] = {}
    for event, payload in examples():
        news = read(payload, event)
        assert not isinstance(news, Ignored) or news.reason
        found.setdefault(event, {}).setdefault(payload.get("action"), Counter())[type(news).__name__] += 1

    assert found == EXAMPLES


@needs_corpus
def test_a_real_push_is_told_with_all_its_facts():
    (payload,) = [each for _, each in examples() if each.get("action") == "synchronize"]

    news = read(payload, "pull_request")

    assert isinstance(news, PullRequestChanged)
    assert news.before == "f95f852bd8fca8fcc58a9a2d6c842781e32a215e"
    pull = news.pull
    assert (pull.head_sha, pull.number) == ("ec26c3e57ca3a959ca5aad62de7213c562f8c821", 2)
    assert (pull.author, pull.author_is_bot, pull.fork) == ("Codertocat", False, False)
    assert pull.updated_at == datetime(2019, 5, 15, 15, 20, 33, tzinfo=UTC)
