"""The status that every operation answers to every kind of caller, about reviews that have ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.openapi.callers import (
    ACTS,
    SEES,
    Kind,
    Row,
    Subject,
    change,
    for_all,
    for_known,
    for_some,
    page,
)
from webhooks.openapi.parts import EXAMPLE_DIFF

FORM: Final = "application/x-www-form-urlencoded"


def of_review(subject: Subject, *, again: int) -> dict[str, Row]:
    """The operations on a review; whoever may act and wants it to run again is answered `again`."""
    sees, acts = SEES[subject], ACTS[subject]
    return {
        "streamReviewEvents": for_some(sees).asked("follow=false"),
        "getReview": for_some(sees),
        "cancelReview": change(acts, 409),
        "runReviewAgain": change(acts, again),
        "getReviewDiff": for_some(sees),
        "getReviewSarif": for_some(sees),
        "showReview": page(sees),
    }


OF_REVIEWS: Final[Mapping[Subject, Mapping[str, Row]]] = {
    Subject.PULL_REQUEST: of_review(Subject.PULL_REQUEST, again=202),
    Subject.OTHER_TENANTS: of_review(Subject.OTHER_TENANTS, again=202),
    Subject.POSTED: of_review(Subject.POSTED, again=409),
}

OTHERS: Final[Mapping[str, Row]] = {
    "streamEvents": for_known().asked("follow=false&from=start"),
    "listReviews": for_known(),
    "postReview": change(frozenset({Kind.POSTER, Kind.OPERATOR}), 202).asked(body=EXAMPLE_DIFF.encode()),
    "getUsage": for_known(),
    "getStatus": for_known(),
    "getMe": for_known(),
    "getMetrics": for_some(frozenset({Kind.OPERATOR, Kind.COOKIE_WITHOUT_CSRF})),
    "getLiveness": for_all(200),
    "getReadiness": for_all(200),
    "getDescription": for_all(200),
    "receiveDelivery": for_all(401).asked(body=b"{}"),  # whoever calls: it is not signed
    "showOverview": page(),
    "showCosts": page(),
    "showLogin": for_all(200),
    "logIn": Row(dict.fromkeys(Kind, 303), body=b"token=made+up", content_type=FORM),
    "logInThroughGitHub": for_all(303),
    "comeBackFromGitHub": for_all(303),
    "logOut": for_all(303).but(cookie_without_csrf=400),
}
