"""What answers mean."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reviewer.errors import ForgeRateLimited, ForgeRefused, ForgeUnavailable
from webhooks.github import graphql, wire
from webhooks.github.wire import Answer

NOW = 1_795_521_600.0  # Tue, 24 Nov 2026 12:00:00 GMT
DATE = {"date": "Tue, 24 Nov 2026 12:00:00 GMT"}
EARLIER = {"date": "Tue, 24 Nov 2026 11:00:00 GMT"}
ABUSE = {"resource": "PullRequestReview", "code": "abuse", "field": "base"}


def answer(status: int, message: str = "", headers: dict[str, str] | None = None, **body: Any) -> Answer:
    return Answer(status, headers or {}, json.dumps({"message": message, **body}).encode())


@pytest.mark.parametrize(
    ("found", "seconds"),
    [
        (answer(429), 60),
        (answer(429, headers={"retry-after": "7"}), 7),
        (answer(403, headers={"retry-after": "17"}), 17),
        (answer(403, headers={"retry-after": "0"}), 1),
        (answer(403, headers={"retry-after": "Tue, 24 Nov 2026 12:01:30 GMT"}), 90),
        (answer(403, headers={"retry-after": "Tue, 24 Nov 2026 11:01:30 GMT", **EARLIER}), 90),
        (answer(403, headers={"retry-after": "9999999"}), 3_600),
        (answer(403, headers={"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW) + 600)}), 600),
        (answer(403, headers={"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW) - 5)}), 1),
        (answer(403, headers={"x-ratelimit-remaining": "0"}), 60),
        (answer(403, "You have exceeded a secondary rate limit. Please wait a few minutes"), 60),
        (answer(403, "You have triggered an abuse detection mechanism."), 60),
        (answer(403, "API rate limit exceeded for installation ID 1."), 60),
        (answer(422, "Validation Failed", errors=[ABUSE]), 60),
        (answer(422, "Validation Failed", errors=[{"code": "custom", "field": "x"}, ABUSE]), 60),
        (answer(422, "Unprocessable Entity", errors=["was submitted too quickly"]), 60),
        (answer(422, "was submitted too quickly", headers={"retry-after": "5"}), 5),
    ],
)
def test_limits_are_known_in_every_disguise(found, seconds):
    with pytest.raises(ForgeRateLimited) as error:
        wire.check(found, now=NOW)

    assert error.value.retry_after == seconds


@pytest.mark.parametrize(
    "found",
    [
        answer(403, "Resource not accessible by integration"),
        answer(403, "Forbidden", headers={"x-ratelimit-remaining": "12"}),
        answer(422, "Unprocessable Entity", errors=["Path src/abuse/report.py could not be resolved"]),
        answer(422, "Unprocessable Entity", errors=[{"field": "abuse", "code": "invalid"}]),
        answer(422, "Unprocessable Entity", headers={"x-ratelimit-remaining": "0"}),
        answer(404, "abuse"),
    ],
)
def test_a_refusal_is_no_limit_for_a_word_that_it_quotes(found):
    with pytest.raises(ForgeRefused):
        wire.check(found, now=NOW)


def test_a_limit_that_names_no_time_takes_the_time_that_is_due():
    with pytest.raises(ForgeRateLimited) as error:
        wire.check(answer(429), now=NOW, unnamed=240)

    assert error.value.retry_after == 240
    assert wire.named_wait(answer(429), now=NOW) is None


def test_times_are_measured_by_githubs_own_clock():
    headers = {**DATE, "x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW) + 600)}

    assert wire.spent(answer(200, headers=headers), now=NOW + 5_000) == 600


def test_a_good_answer_with_requests_left_is_not_the_last():
    headers = {"x-ratelimit-remaining": "1", "x-ratelimit-reset": str(int(NOW) + 600)}

    assert wire.spent(answer(200, headers=headers), now=NOW) is None


def test_a_permission_that_is_missing_is_named():
    headers = {"x-accepted-github-permissions": "checks=write"}
    with pytest.raises(ForgeRefused, match="the app needs the permission checks=write"):
        wire.check(answer(403, "Resource not accessible by integration", headers), now=NOW)


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("https://api.github.example", "https://api.github.example/graphql"),
        ("https://api.github.example/", "https://api.github.example/graphql"),
        ("https://forge.example/api/v3", "https://forge.example/api/graphql"),
        ("https://forge.example/api/v3/", "https://forge.example/api/graphql"),
    ],
)
def test_graphql_is_beside_rest(base, url):
    assert graphql.url(base) == url


def test_graphql_gives_the_data_only_if_all_of_it_came():
    assert graphql.check(answer(200, data={"a": 1}), now=NOW) == {"a": 1}

    with pytest.raises(ForgeRefused, match="Resource not accessible") as error:
        graphql.check(
            answer(200, data={"a": 1}, errors=[{"type": "FORBIDDEN", "message": "Resource not accessible"}]),
            now=NOW,
        )
    assert error.value.code == "FORBIDDEN"


@pytest.mark.parametrize(
    "found",
    [
        answer(200, errors=[{"type": "RATE_LIMITED", "message": "m"}]),
        answer(200, errors=[{"message": "API rate limit exceeded for installation"}]),
        answer(200, "You have exceeded a secondary rate limit."),
        answer(403, "You have exceeded a secondary rate limit."),
    ],
)
def test_graphql_tells_limits_in_good_answers_too(found):
    with pytest.raises(ForgeRateLimited) as error:
        graphql.check(found, now=NOW, unnamed=120)

    assert error.value.retry_after == 120


@pytest.mark.parametrize("body", [b"[]", b"{}", b"<html>", b'{"data": null}'])
def test_what_is_no_graphql_is_passing_trouble(body):
    with pytest.raises(ForgeUnavailable):
        graphql.check(Answer(200, {}, body), now=NOW)
