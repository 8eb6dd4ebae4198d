"""The door for GitHub's deliveries: check, store, answer; the work is done elsewhere.

The delivery and what it changes commit together; its job follows within a moment, whoever dies in between.
What fails before that commit answers 5xx, so that a redelivery, which carries the same id, is taken as new.
"""

from __future__ import annotations

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from reviewer.errors import BadPayload, BodyTooLarge
from webhooks.intake import Intake
from webhooks.news import (
    Handled,
    Ignored,
    InstallationGone,
    PersonGone,
    PullRequestChanged,
    RepositoriesGone,
)
from webhooks.payloads import parse
from webhooks.policy import Rules
from webhooks.records import Delivery
from webhooks.signature import verify
from webhooks.wishes import Answer

MAX_BODY_BYTES = 25_000_000
"""GitHub does not deliver larger payloads: https://docs.github.com/en/webhooks/webhook-events-and-payloads"""

_log = structlog.get_logger("sluice.receiver")


class Receiver:
    """`POST /webhooks/github`."""

    def __init__(self, *, secret: str, intake: Intake, rules: Rules) -> None:
        self._secret = secret
        self._intake = intake
        self._rules = rules

    async def receive(self, request: Request) -> Response:
        """202 with what was done; 4xx for what is not GitHub's or not well formed."""
        raw = await _read(request)
        body = verify(raw, request.headers.get("x-hub-signature-256"), self._secret)
        guid = request.headers.get("x-github-delivery")
        event = request.headers.get("x-github-event")
        if not guid or not event:
            raise BadPayload("the headers X-GitHub-Delivery and X-GitHub-Event are needed")
        kind = request.headers.get("content-type", "")
        news = parse(body, event=event, content_type=kind, commanders=self._rules.commanders)
        if isinstance(news, Ignored):
            _log.info("delivery ignored", delivery=guid, github_event=event, reason=news.reason)
            return JSONResponse({"ignored": news.reason}, status_code=202)
        delivery = Delivery(guid, event, type(news).__name__, _installation(news), raw)
        answer = await self._intake.take(delivery, news)
        if answer is None:
            return JSONResponse({"ignored": "this delivery was taken before"}, status_code=202)
        _log.info(
            "delivery taken", delivery=guid, github_event=event, review=answer.review, why=answer.reason
        )
        return JSONResponse(_as_json(answer), status_code=202)


def _installation(news: Handled) -> int | None:
    match news:
        case PersonGone():
            return None
        case PullRequestChanged(pull=pull):
            return pull.place.installation
        case InstallationGone() | RepositoriesGone():
            return news.installation
        case _:
            return news.place.installation


def _as_json(answer: Answer) -> dict[str, str]:
    found = {"review": answer.review, "reason": answer.reason}
    return {name: value for name, value in found.items() if value is not None}


async def _read(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY_BYTES:
            raise BodyTooLarge(f"the body is over {MAX_BODY_BYTES:,} bytes")
    return bytes(body)
