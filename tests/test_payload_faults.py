from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import fields, is_dataclass
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewer.errors import BadPayload
from tests import github_payloads as made
from tests.github_payloads import BEFORE, RENOVATE, read
from webhooks.news import News


@pytest.mark.parametrize(
    ("payload", "event"),
    [
        ({}, "pull_request"),
        ({**made.pull_request("opened"), "action": ["opened"]}, "pull_request"),
        ({**made.AROUND, "action": "opened"}, "pull_request"),
        (made.pull_request("opened", around={"installation": {"id": "seven"}}), "pull_request"),
        (made.pull_request("opened", around={"installation": {"id": True}}), "pull_request"),
        (made.pull_request("opened", number=0), "pull_request"),
        (made.pull_request("opened", number=2**31), "pull_request"),
        (made.pull_request("opened", state="ajar"), "pull_request"),
        (made.pull_request("opened", head={"sha": "../x", "repo": None}), "pull_request"),
        (made.pull_request("opened", updated_at="2026-11-24T10:20:30"), "pull_request"),
        (made.pull_request("opened", updated_at="0001-01-01T00:00:00+10:00"), "pull_request"),
        (made.check_run("requested_action"), "check_run"),
        ({"action": "deleted"}, "installation"),
        (made.installation("removed"), "installation_repositories"),
        (b"{}]", "ping"),
    ],
)
def test_what_is_no_payload_of_its_event_is_refused(payload, event):
    with pytest.raises(BadPayload):
        read(payload, event)


GOOD: list[tuple[str, dict[str, Any]]] = [
    ("pull_request", made.pull_request("synchronize", around={"before": BEFORE})),
    ("pull_request", made.pull_request("edited", around={"changes": {"base": {"ref": {"from": "old"}}}})),
    ("check_run", made.check_run("requested_action", button="again")),
    ("check_suite", made.check_suite("rerequested")),
    ("issue_comment", made.issue_comment("/sluice review")),
    ("pull_request_review_comment", made.review_comment("/sluice stop")),
    ("pull_request_review", made.review("/sluice stop")),
    ("pull_request_review_thread", made.thread("resolved", [made.said("x", by=RENOVATE)])),
    ("installation", made.installation("deleted")),
    ("installation_repositories", made.repositories_removed(11)),
    ("repository", made.repository("archived")),
]
EVENTS = sorted({event for event, _ in GOOD} | {"ping", "push", "never_heard_of"})
TEXTS = st.text(st.sampled_from("ab0 /-:[]\0\ud800\udc80\U0001f6d2"), max_size=9)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


def spots(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a JSON value, as what holds it and the key there."""
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from spots(value[key])


@given(st.sampled_from(GOOD), st.data())
def test_a_payload_wrong_in_one_place_is_news_or_refused(good, data):
    event, payload = good[0], deepcopy(good[1])
    holder, key = data.draw(st.sampled_from(list(spots(payload))))
    if data.draw(st.booleans()):
        holder[key] = data.draw(JSON_VALUES)
    else:
        del holder[key]

    assert_news_or_refused(payload, event)


@given(
    st.sampled_from(EVENTS),
    st.dictionaries(TEXTS, JSON_VALUES, max_size=4),
    st.data(),
)
def test_any_object_is_news_or_refused(event, payload, data):
    action = data.draw(
        st.sampled_from(["opened", "created", "deleted", "rerequested", "resolved", "removed", 3])
    )

    assert_news_or_refused({**payload, "action": action, "installation": {"id": 7}}, event)


def assert_news_or_refused(payload: Any, event: str) -> None:
    try:
        news = read(payload, event)
    except BadPayload:
        return
    assert isinstance(news, get_args(News))
    for text in texts(news):
        assert "\0" not in text
        text.encode()


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif is_dataclass(value):
        for each in fields(value):
            yield from texts(getattr(value, each.name))
    elif isinstance(value, tuple | frozenset):
        for each in value:
            yield from texts(each)
