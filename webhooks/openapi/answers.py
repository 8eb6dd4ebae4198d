"""What answers of all operations have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from webhooks.openapi.schemas import Schema, ref

JSON = "application/json"
HTML = "text/html"
PLAIN = "text/plain"
STREAM = "text/event-stream"
SARIF = "application/sarif+json"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of one status; `content` names schemas by media type, `headers` are always there."""

    words: str
    content: Mapping[str, Schema] = field(default_factory=dict[str, Schema])
    headers: tuple[str, ...] = ()
    maybe: tuple[str, ...] = ()


def refusal(words: str, *headers: str, also: str | None = None) -> Answer:
    """Error JSON; to browsers `also` of another type."""
    content = {JSON: ref("Error")} | ({also: {"type": "string"}} if also else {})
    return Answer(words, content, headers)


REFUSALS: Final[Mapping[int, Answer]] = {
    400: refusal("What was sent can't be understood; the error says which part of it."),
    401: refusal(
        "Nothing was shown that says who calls, or it does not hold (any more).", "WWW-Authenticate"
    ),
    403: refusal("The form does not come from a page of ours."),
    404: refusal("There is no such thing, or it is not for you to see."),
    408: refusal("The body did not come to its end in time."),
    409: refusal("Not in the state that the review is in."),
    410: refusal("The events of this review are no longer kept."),
    413: refusal("More than is taken at once."),
    415: refusal("The body is packed, and not as gzip."),
    422: refusal("This idempotency key came with another body before."),
    429: refusal("Too many requests or streams, or the budget of the day is used up.", "Retry-After"),
    503: refusal("The database or GitHub is away for now.", "Retry-After"),
}


def json(schema: str, words: str) -> Answer:
    """JSON of that schema."""
    return Answer(words, {JSON: ref(schema)})


def page(words: str) -> Answer:
    """A page for people."""
    return Answer(words, {HTML: {"type": "string"}})


def text(words: str) -> Answer:
    """Plain text."""
    return Answer(words, {PLAIN: {"type": "string"}})


def redirect(words: str) -> Answer:
    """On to somewhere else."""
    return Answer(words, headers=("Location",))


def stream(words: str, *, maybe: tuple[str, ...] = (), headers: tuple[str, ...] = ()) -> Answer:
    """Server-sent events."""
    return Answer(words, {STREAM: {"type": "string"}}, headers, maybe)


def of_key(answer: Answer) -> Answer:
    """With the account of the caller's key."""
    return replace(answer, headers=("X-Tokens-Used", *answer.headers), maybe=("X-Tokens-Remaining",))


def maybe_of_key(answer: Answer) -> Answer:
    """One that may come before the caller's account was looked up, too."""
    return replace(answer, maybe=("X-Tokens-Used", "X-Tokens-Remaining"))


def of_budget(answer: Answer) -> Answer:
    """One that may come from a budget, too."""
    return replace(answer, content={JSON: ref("OverBudget")})
