"""Every route of the HTTP surface: what it takes, what it answers, who may ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from webhooks.openapi.answers import (
    HTML,
    JSON,
    REFUSALS,
    SARIF,
    Answer,
    json,
    maybe_of_key,
    of_budget,
    of_key,
    page,
    redirect,
    refusal,
    stream,
    text,
)
from webhooks.openapi.schemas import Schema, ref

OPEN: Final[tuple[Schema, ...]] = ()
SIGNED: Final[tuple[Schema, ...]] = ({"signature": []},)
CALLER: Final[tuple[Schema, ...]] = ({"bearer": []}, {"session": []})
"""By a token, or from a browser that is logged in."""
CHANGE: Final[tuple[Schema, ...]] = ({"bearer": []}, {"session": [], "csrf": []})
LEAVING: Final[tuple[Schema, ...]] = ({"session": [], "csrf": []}, {})
PAGE: Final[tuple[Schema, ...]] = ({"session": []}, {})
"""Whoever is not logged in is sent to `/login`."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A method on a path; `refuses` are statuses of `REFUSALS`, beside those that its security brings."""

    id: str
    tag: str
    summary: str
    gives: Mapping[int, Answer]
    parameters: tuple[str, ...] = ()
    refuses: tuple[int, ...] = ()
    security: tuple[Schema, ...] = CALLER
    body: str | None = None
    words: str = ""


_RESUMING = ("last_event_id", "last_event_id_header", "follow")
_POSTED = ("posted_repository", "title", "head_sha", "on_disconnect", "prefer", "idempotency_key")

OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("GET", "/events"): Operation(
        "streamEvents",
        "events",
        "All that you may see, as it happens",
        {200: stream("From now on, or from where you left off.")},
        (*_RESUMING, "from", "repository", "pull_request", "review", "severity", "type"),
        refuses=(400,),
    ),
    ("GET", "/reviews/{id}/events"): Operation(
        "streamReviewEvents",
        "events",
        "One review from its start to its end",
        {200: stream("Ends after the event that ends the review.")},
        ("id", *_RESUMING),
        refuses=(400, 404, 410),
    ),
    ("GET", "/reviews"): Operation(
        "listReviews",
        "reviews",
        "Reviews, newest first",
        {200: json("Reviews", "A page of them.")},
        ("limit", "before", "repository", "pull_request", "status"),
        refuses=(400,),
    ),
    ("POST", "/reviews"): Operation(
        "postReview",
        "reviews",
        "Have a diff reviewed",
        {
            200: stream(
                "The review's events, from its start to its end.",
                headers=("Location", "X-Tokens-Used"),
                maybe=("X-Tokens-Remaining",),
            ),
            202: Answer(
                "Asked for with `Prefer: respond-async`: the review goes on by itself.",
                {JSON: ref("Posted")},
                ("Location", "Preference-Applied", "X-Tokens-Used"),
                ("X-Tokens-Remaining",),
            ),
            **{status: of_key(REFUSALS[status]) for status in (408, 415, 422)},
            400: maybe_of_key(REFUSALS[400]),
            413: of_key(of_budget(REFUSALS[413])),
            429: maybe_of_key(of_budget(REFUSALS[429])),
        },
        _POSTED,
        refuses=(404,),
        security=CHANGE,
        body="diff",
        words="A posted review belongs to the key that posted it. If its stream is cut it is cancelled, "
        "unless asked to go on. The same `Idempotency-Key` with the same body gives the same review.",
    ),
    ("GET", "/reviews/{id}"): Operation(
        "getReview",
        "reviews",
        "One review",
        {200: json("Review", "The review.")},
        ("id",),
        refuses=(404, 410),
    ),
    ("POST", "/reviews/{id}/cancel"): Operation(
        "cancelReview",
        "reviews",
        "End a review",
        {202: json("Cancelled", "It ends in a moment.")},
        ("id",),
        refuses=(400, 404, 409),
        security=CHANGE,
    ),
    ("POST", "/reviews/{id}/again"): Operation(
        "runReviewAgain",
        "reviews",
        "Review the same change again",
        {202: json("Again", "It is asked for.")},
        ("id",),
        refuses=(400, 404, 409),
        security=CHANGE,
    ),
    ("GET", "/reviews/{id}/diff"): Operation(
        "getReviewDiff",
        "reviews",
        "The diff that was reviewed",
        {200: json("Diff", "Its files; over 4,000 lines further files come without hunks.")},
        ("id", "path"),
        refuses=(404, 410),
    ),
    ("GET", "/reviews/{id}.sarif"): Operation(
        "getReviewSarif",
        "reviews",
        "The findings that stand, as SARIF",
        {200: Answer("SARIF 2.1.0.", {SARIF: ref("Sarif")})},
        ("id",),
        refuses=(404, 410),
    ),
    ("GET", "/usage"): Operation(
        "getUsage",
        "operation",
        "Tokens and money by day",
        {200: json("UsageByDay", "What you see of it.")},
        ("days",),
        refuses=(400,),
    ),
    ("GET", "/status"): Operation(
        "getStatus", "operation", "How things are", {200: json("Status", "Queue, model, GitHub, budgets.")}
    ),
    ("GET", "/me"): Operation("getMe", "operation", "Who you are", {200: json("Me", "You.")}),
    ("GET", "/metrics"): Operation(
        "getMetrics",
        "operation",
        "Prometheus metrics, for those who see everything",
        {200: text("In Prometheus' text format.")},
        refuses=(404,),
    ),
    ("GET", "/livez"): Operation(
        "getLiveness", "operation", "Whether the process lives", {200: text("ok")}, security=OPEN
    ),
    ("GET", "/readyz"): Operation(
        "getReadiness",
        "operation",
        "Whether it can work",
        {200: text("ok")},
        refuses=(503,),
        security=OPEN,
    ),
    ("GET", "/openapi.json"): Operation(
        "getDescription",
        "operation",
        "This description",
        {200: Answer("OpenAPI 3.1.", {JSON: {"type": "object", "required": ["openapi", "info", "paths"]}})},
        security=OPEN,
    ),
    ("POST", "/webhooks/github"): Operation(
        "receiveDelivery",
        "operation",
        "Take a delivery of GitHub's",
        {
            202: json("Taken", "It is taken, and what becomes of it is decided."),
            401: refusal("The signature is missing, or wrong."),
        },
        ("github_delivery", "github_event"),
        refuses=(400, 413, 503),
        security=SIGNED,
        body="delivery",
    ),
    ("GET", "/"): Operation(
        "showOverview",
        "pages",
        "The dashboard",
        {200: page("The page."), 303: redirect("To `/login`.")},
        security=PAGE,
    ),
    ("GET", "/r/{id}"): Operation(
        "showReview",
        "pages",
        "The page of a review",
        {200: page("The page."), 303: redirect("To `/login`."), 404: refusal(REFUSALS[404].words, also=HTML)},
        ("id",),
        security=PAGE,
    ),
    ("GET", "/costs"): Operation(
        "showCosts",
        "pages",
        "The page of tokens and money",
        {200: page("The page."), 303: redirect("To `/login`.")},
        security=PAGE,
    ),
    ("GET", "/login"): Operation(
        "showLogin",
        "pages",
        "The form to log in",
        {200: page("The form.")},
        ("login_failed", "next"),
        security=OPEN,
    ),
    ("POST", "/login"): Operation(
        "logIn",
        "pages",
        "Log in with a token",
        {
            303: redirect("To where one wanted to go, with a cookie, or back to the form."),
            429: refusal(REFUSALS[429].words, "Retry-After", also=HTML),
        },
        refuses=(400, 403, 503),
        security=OPEN,
        body="login",
    ),
    ("GET", "/login/github"): Operation(
        "logInThroughGitHub",
        "pages",
        "Log in through GitHub",
        {303: redirect("To GitHub.")},
        ("next",),
        refuses=(404, 503),
        security=OPEN,
    ),
    ("GET", "/login/github/callback"): Operation(
        "comeBackFromGitHub",
        "pages",
        "Where GitHub sends people back to",
        {
            303: redirect("To where one wanted to go, with a cookie, or back to the form."),
            429: refusal(REFUSALS[429].words, "Retry-After", also=HTML),
        },
        ("code", "state", "github_error"),
        refuses=(404, 503),
        security=OPEN,
    ),
    ("POST", "/logout"): Operation(
        "logOut",
        "pages",
        "Log out",
        {303: redirect("To `/login`.")},
        refuses=(400,),
        security=LEAVING,
        body="logout",
    ),
}
