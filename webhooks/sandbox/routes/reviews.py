"""Reviews and their comments, with GitHub's refusals: https://docs.github.com/rest/pulls/reviews.

A review is taken whole or not at all: one comment off the diff refuses it, and the answer does not say which.
"""

from __future__ import annotations

from typing import Any, Literal, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from webhooks.sandbox.access import Gate
from webhooks.sandbox.drafts import IN_REVIEW, check_body, check_draft, check_open_to_reviews, place_comments
from webhooks.sandbox.echoes import tell_review
from webhooks.sandbox.refusals import Refusal, read_object, unprocessable
from webhooks.sandbox.routes.pages import page
from webhooks.sandbox.shapes import comment_shape, review_shape
from webhooks.sandbox.state import PullRequest, Repository, Review, State

_STATES: dict[str, Literal["COMMENTED", "APPROVED", "CHANGES_REQUESTED"]] = {
    "COMMENT": "COMMENTED",
    "APPROVE": "APPROVED",
    "REQUEST_CHANGES": "CHANGES_REQUESTED",
}


def routes(gate: Gate) -> list[Route]:
    """Routes on reviews and their comments."""
    state = gate.state

    async def create(request: Request, repository: Repository) -> Response:
        pull = gate.pull(request, repository)
        body = await read_object(request)
        review = _review(state, pull, body)
        drafts = [check_draft(each, IN_REVIEW) for each in cast("list[Any]", body.get("comments") or [])]
        if not drafts and not review.body and review.state not in {"PENDING", "APPROVED"}:
            raise unprocessable("Body can't be blank")
        made = await place_comments(state, repository, pull, review, drafts)
        pull.reviews[review.id] = review
        pull.updated_at = state.clock()
        pull.comments.update({comment.id: comment for comment in made})
        tell_review(state, repository, pull, review, made)
        return JSONResponse(review_shape(state, repository, pull, review))

    async def listing(request: Request, repository: Repository) -> Response:
        pull = gate.pull(request, repository)
        found = [
            review_shape(state, repository, pull, review)
            for review in pull.reviews.values()
            if state.shows(review.posted)
        ]
        return page(state, request, found)

    async def show(request: Request, repository: Repository) -> Response:
        pull = gate.pull(request, repository)
        return JSONResponse(review_shape(state, repository, pull, _find(request, pull)))

    async def edit(request: Request, repository: Repository) -> Response:
        pull = gate.pull(request, repository)
        review = _find(request, pull)
        review.body = check_body((await read_object(request)).get("body"))
        pull.updated_at = state.clock()
        return JSONResponse(review_shape(state, repository, pull, review))

    async def submit(request: Request, repository: Repository) -> Response:
        pull = gate.pull(request, repository)
        review = _pending(request, pull)
        event = (await read_object(request)).get("event")
        if event not in _STATES:
            raise unprocessable("Event is not included in the list")
        review.state = _STATES[event]
        review.submitted_at = pull.updated_at = state.clock()
        made = [each for each in pull.comments.values() if each.review_id == review.id]
        tell_review(state, repository, pull, review, made)
        return JSONResponse(review_shape(state, repository, pull, review))

    async def discard(request: Request, repository: Repository) -> Response:
        pull = gate.pull(request, repository)
        review = _pending(request, pull)
        del pull.reviews[review.id]
        pull.comments = {key: each for key, each in pull.comments.items() if each.review_id != review.id}
        return JSONResponse(review_shape(state, repository, pull, review))

    async def comments(request: Request, repository: Repository) -> Response:
        pull = gate.pull(request, repository)
        wanted = request.path_params.get("review")
        found = [
            comment_shape(state, repository, pull, each)
            for each in pull.comments.values()
            if state.shows(each.posted)
            and (each.review_id == wanted if wanted else pull.reviews[each.review_id].state != "PENDING")
        ]
        return page(state, request, found)

    one = "/repos/{owner}/{repo}/pulls/{number:int}"
    review = one + "/reviews/{review:int}"
    reading = writing = "pull_requests"
    return [
        Route(
            one + "/reviews",
            gate.for_installation(create, write=writing, content=True),
            methods=["POST"],
        ),
        Route(one + "/reviews", gate.for_installation(listing, read=reading)),
        Route(review, gate.for_installation(discard, write=writing), methods=["DELETE"]),
        Route(review, gate.for_installation(edit, write=writing), methods=["PUT"]),
        Route(review, gate.for_installation(show, read=reading)),
        Route(
            review + "/events",
            gate.for_installation(submit, write=writing, content=True),
            methods=["POST"],
        ),
        Route(review + "/comments", gate.for_installation(comments, read=reading)),
        Route(one + "/comments", gate.for_installation(comments, read=reading)),
    ]


def _find(request: Request, pull: PullRequest) -> Review:
    review = pull.reviews.get(request.path_params["review"])
    if review is None:
        raise Refusal(404, "Not Found")
    return review


def _pending(request: Request, pull: PullRequest) -> Review:
    review = _find(request, pull)
    if review.state != "PENDING":
        raise unprocessable("Can not delete a non-pending pull request review")
    return review


def _review(state: State, pull: PullRequest, body: dict[str, Any]) -> Review:
    event = body.get("event")
    if event is not None and event not in _STATES:
        raise Refusal(
            422, f"Variable $event of type PullRequestReviewEvent was provided invalid value {event}"
        )
    check_open_to_reviews(state, pull)
    text = check_body(body.get("body") or "")
    commit = body.get("commit_id") or pull.head_sha
    if commit not in pull.commits:
        raise unprocessable("Commit is not part of the pull request")
    if event in {"APPROVE", "REQUEST_CHANGES"} and pull.user == state.bot:
        raise unprocessable("Can not approve your own pull request")
    return Review(
        id=state.next_id(),
        user=state.bot,
        body=text,
        state=_STATES[event] if event else "PENDING",
        commit_id=commit,
        submitted_at=state.clock() if event else None,
        posted=state.ticks(),
    )
