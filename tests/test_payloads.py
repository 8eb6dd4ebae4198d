from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from reviewer.errors import BadPayload
from tests.corpus import DATA, needs_corpus
from webhooks.payloads import Ignored, PullRequestChanged, parse
from webhooks.signature import VerifiedBody

OPENED: dict[str, Any] = {
    "action": "opened",
    "installation": {"id": 7},
    "repository": {"full_name": "octo/shop"},
    "pull_request": {
        "number": 3,
        "title": "Add checkout",
        "html_url": "https://github.example/octo/shop/pull/3",
        "draft": False,
        "state": "open",
        "head": {"sha": "a" * 40, "repo": None},
        "base": {"ref": "main"},
    },
}


def read(payload: Any, event: str = "pull_request", content_type: str = "application/json"):
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return parse(VerifiedBody(raw), event=event, content_type=content_type)


def test_an_opened_pull_request_wants_a_review():
    news = read(OPENED)

    assert isinstance(news, PullRequestChanged)
    head = news.head
    assert (head.installation, head.repository, head.number, head.head_sha) == (7, "octo/shop", 3, "a" * 40)


def test_a_form_holds_the_same_payload():
    form = f"payload={quote(json.dumps(OPENED))}".encode()

    assert read(form, content_type="application/x-www-form-urlencoded") == read(OPENED)


@pytest.mark.parametrize(
    ("changes", "event", "reason"),
    [
        ({"action": "labeled"}, "pull_request", "action 'labeled'"),
        ({"action": 3}, "pull_request", "action 3"),
        ({"action": []}, "pull_request", "action []"),
        ({"installation": None}, "pull_request", "not from an installation"),
        ({"pull_request": {**OPENED["pull_request"], "draft": True}}, "pull_request", "draft"),
        ({"pull_request": {**OPENED["pull_request"], "state": "closed"}}, "pull_request", "closed"),
        ({}, "ping", "event 'ping'"),
        ({}, "never_heard_of", "event 'never_heard_of'"),
    ],
)
def test_what_asks_for_nothing_is_ignored_with_the_reason(changes, event, reason):
    news = read({**OPENED, **changes}, event)

    assert isinstance(news, Ignored)
    assert reason in news.reason


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b"\xff", b'"x"', b"[" * 100_000, json.dumps({"action": "opened"}).encode()]
)
def test_what_is_no_payload_is_refused(raw):
    with pytest.raises(BadPayload):
        read(raw)


@needs_corpus
def test_every_real_payload_is_read_or_ignored_with_a_reason():
    wanted = 0
    events = json.loads((DATA / "webhooks-examples.json").read_text())
    for event in events:
        for example in event["examples"]:
            news = read(example, event["name"])
            wanted += isinstance(news, PullRequestChanged)
            assert isinstance(news, PullRequestChanged) or news.reason

    assert wanted >= 5
