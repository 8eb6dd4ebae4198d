"""Reviews and their comments, with GitHub's refusals: https://docs.github.com/rest/pulls/reviews.

A review is taken whole or not at all: one comment off the diff refuses it, and the answer does not say which.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from webhooks.sandbox import anchors
from webhooks.sandbox.access import Gate, Refusal, read_object, unprocessable
from webhooks.sandbox.anchors import Hunk, Place, Problem
from webhooks.sandbox.git import FileChange
from webhooks.sandbox.play import read_diff
from webhooks.sandbox.routes.pages import page
from webhooks.sandbox.shapes import comment_shape, review_shape
from webhooks.sandbox.state import PullRequest, Repository, Review, ReviewComment, State

LONGEST_BODY = 65536
_STATES: dict[str, Literal["COMMENTED", "APPROVED", "CHANGES_REQUESTED"]] = {
    "COMMENT": "COMMENTED",
    "APPROVE": "APPROVED",
    "REQUEST_CHANGES": "CHANGES_REQUESTED",
}
_COMMENT_KEYS = frozenset({"path", "body", "position", "line", "side", "start_line", "start_side"})


def routes(gate: Gate) -> list[Route]:
    """Routes on reviews and their comments."""
    state = gate.state

    async def create(request: Request, repository: Repository) -> Response:
        pull = gate.pull(request, repository)
        body = await read_object(request)
        review = _review(state, pull, body)
        drafts = cast("list[Any]", body.get("comments") or [])
        if not drafts and not review.body and review.state not in {"PENDING", "APPROVED"}:
            raise unprocessable("Body can't be blank")
        files = {change.path: change for change in (await read_diff(repository, pull)).files}
        made = [_comment(state, pull, review, draft, files) for draft in drafts]
        pull.reviews[review.id] = review
        pull.comments.update({comment.id: comment for comment in made})
        return JSONResponse(review_shape(state, repository, pull, review))

    async def listing(request: Request, repository: Repository) -> Response:
        pull = gate.pull(request, repository)
        found = [review_shape(state, repository, pull, review) for review in pull.reviews.values()]
        return page(state, request, found)

    async def submit(request: Request, repository: Repository) -> Response:
        pull = gate.pull(request, repository)
        review = _pending(request, pull)
        event = (await read_object(request)).get("event")
        if event not in _STATES:
            raise unprocessable("Event is not included in the list")
        review.state = _STATES[event]
        review.submitted_at = state.clock()
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
            if (each.review_id == wanted if wanted else pull.reviews[each.review_id].state != "PENDING")
        ]
        return page(state, request, found)

    one = "/repos/{owner}/{repo}/pulls/{number:int}"
    review = one + "/reviews/{review:int}"
    writing = "pull_requests"
    return [
        Route(one + "/reviews", gate.for_installation(create, write=writing), methods=["POST"]),
        Route(one + "/reviews", gate.for_installation(listing)),
        Route(review, gate.for_installation(discard, write=writing), methods=["DELETE"]),
        Route(review + "/events", gate.for_installation(submit, write=writing), methods=["POST"]),
        Route(review + "/comments", gate.for_installation(comments)),
        Route(one + "/comments", gate.for_installation(comments)),
    ]


def _pending(request: Request, pull: PullRequest) -> Review:
    review = pull.reviews.get(request.path_params["review"])
    if review is None:
        raise Refusal(404, "Not Found")
    if review.state != "PENDING":
        raise unprocessable("Can not delete a non-pending pull request review")
    return review


def _review(state: State, pull: PullRequest, body: dict[str, Any]) -> Review:
    event = body.get("event")
    if event is not None and event not in _STATES:
        raise Refusal(
            422, f"Variable $event of type PullRequestReviewEvent was provided invalid value {event}"
        )
    if any(each.state == "PENDING" and each.user == state.bot for each in pull.reviews.values()):
        raise unprocessable("User can only have one pending review per pull request")
    text = body.get("body") or ""
    if not isinstance(text, str) or len(text) > LONGEST_BODY:
        raise unprocessable(f"body is too long (maximum is {LONGEST_BODY} characters)")
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
    )


def _comment(
    state: State, pull: PullRequest, review: Review, draft: Any, files: dict[str, FileChange]
) -> ReviewComment:
    """A comment of a new review, if it stands on the diff."""
    if not isinstance(draft, dict):
        raise Refusal(422, "Invalid request.\n\nEach comment is an object.")
    fields = cast("dict[str, Any]", draft)
    _check_fields(fields)
    change = files.get(fields["path"])
    if change is None:
        raise unprocessable("Path could not be resolved")
    hunks = anchors.parse_hunks(change.hunks)
    place = _place(hunks, fields)
    now = state.clock()
    return ReviewComment(
        id=state.next_id(),
        review_id=review.id,
        path=fields["path"],
        body=fields["body"],
        user=review.user,
        commit_id=pull.head_sha,
        original_commit_id=review.commit_id,
        created_at=now,
        updated_at=now,
        side=fields.get("side", "RIGHT"),
        line=fields["line"],
        original_line=fields["line"],
        start_line=fields.get("start_line"),
        original_start_line=fields.get("start_line"),
        start_side=fields.get("start_side"),
        position=place.position,
        diff_hunk=place.diff_hunk,
    )


def _check_fields(fields: dict[str, Any]) -> None:
    if unknown := fields.keys() - _COMMENT_KEYS:
        raise Refusal(422, f"Invalid request.\n\n{min(unknown)!r} is not a permitted key.")
    for name in ("path", "body"):
        if not isinstance(fields.get(name), str) or not fields[name]:
            raise Refusal(422, f"Invalid request.\n\n{name!r} wasn't supplied.")
    if len(fields["body"]) > LONGEST_BODY:
        raise unprocessable(f"body is too long (maximum is {LONGEST_BODY} characters)")
    for name in ("line", "start_line"):
        number = fields.get(name)
        if (number is None and name == "line") or (number is not None and type(number) is not int):
            raise Refusal(422, f"Invalid request.\n\nFor {name!r}, an integer is expected.")
    for name in ("side", "start_side"):
        if fields.get(name, "RIGHT") not in {"RIGHT", "LEFT"}:
            raise Refusal(422, f"Variable ${name} was provided invalid value")


def _place(hunks: Sequence[Hunk], fields: dict[str, Any]) -> Place:
    found = anchors.resolve(
        hunks,
        line=fields["line"],
        side=fields.get("side", "RIGHT"),
        start_line=fields.get("start_line"),
        start_side=fields.get("start_side"),
    )
    if isinstance(found, Problem):
        raise unprocessable(found.value)
    return found
