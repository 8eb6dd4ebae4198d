"""What GitHub refuses though its OpenAPI description allows it, checked on our requests.

https://docs.github.com/rest/pulls/reviews, https://docs.github.com/rest/pulls/comments and
https://docs.github.com/rest/checks/runs say it in prose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.contracts.exchanges import Exchange

MOST_ANNOTATIONS = 50
_REVIEWS = re.compile(r"/repos/[^/]+/[^/]+/pulls/\d+/reviews")
_COMMENTS = re.compile(r"/repos/[^/]+/[^/]+/pulls/\d+/comments")
_CHECK_RUNS = re.compile(r"/repos/[^/]+/[^/]+/check-runs(/\d+)?")


def request_problems(exchange: Exchange) -> Iterator[str]:
    """What is wrong with a request beyond its shape."""
    sent = exchange.sent_object
    if exchange.method == "POST" and _REVIEWS.fullmatch(exchange.path):
        for index, comment in enumerate(sent.get("comments") or []):
            yield from (f"comments[{index}]: {problem}" for problem in _in_review(comment))
    elif exchange.method == "POST" and _COMMENTS.fullmatch(exchange.path):
        yield from _on_lines(sent)
    elif exchange.method in {"POST", "PATCH"} and _CHECK_RUNS.fullmatch(exchange.path):
        yield from _in_check_run(sent)


def _in_review(comment: dict[str, Any]) -> Iterator[str]:
    if "subject_type" in comment:
        yield "subject_type is not permitted inside a review"
    yield from _on_lines(comment)


def _on_lines(comment: dict[str, Any]) -> Iterator[str]:
    for name in ("side", "start_side"):
        if comment.get(name, "RIGHT") not in {"LEFT", "RIGHT"}:
            yield f"{name} {comment[name]!r} is neither LEFT nor RIGHT"
    start, line = comment.get("start_line"), comment.get("line")
    side = comment.get("side", "RIGHT")
    if start is None or comment.get("start_side", side) != side:
        return
    if line is None or start >= line:
        yield f"start_line {start} does not precede line {line}"


def _in_check_run(sent: dict[str, Any]) -> Iterator[str]:
    if sent.get("status") == "completed" and sent.get("conclusion") is None:
        yield "completed without a conclusion"
    count = len((sent.get("output") or {}).get("annotations") or [])
    if count > MOST_ANNOTATIONS:
        yield f"{count} annotations in one request, over {MOST_ANNOTATIONS}"
