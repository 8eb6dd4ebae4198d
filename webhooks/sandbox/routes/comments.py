"""Comments one by one, on the diff and in the conversation: https://docs.github.com/rest/pulls/comments."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from webhooks.sandbox.access import Gate
from webhooks.sandbox.drafts import ALONE, check_body, check_draft, check_open_to_reviews, place_comments
from webhooks.sandbox.echoes import tell_comment, tell_remark, tell_review
from webhooks.sandbox.refusals import Refusal, read_object
from webhooks.sandbox.replies import make_reply, make_review
from webhooks.sandbox.routes.pages import page
from webhooks.sandbox.shapes import comment_shape, remark_shape
from webhooks.sandbox.state import IssueComment, PullRequest, Repository, Review, ReviewComment, State

_WRITING = "pull_requests"
_Endpoint = Callable[[Request, Repository], Awaitable[Response]]


def routes(gate: Gate) -> list[Route]:
    """Routes on comments."""
    return [*_on_diff(gate), *_in_conversation(gate)]


def _in_objects(resource: str) -> Callable[[_Endpoint], _Endpoint]:
    """Word an endpoint's refusals as all routes but the reviews' do: an object for each error."""

    def wrap(endpoint: _Endpoint) -> _Endpoint:
        async def call(request: Request, repository: Repository) -> Response:
            try:
                return await endpoint(request, repository)
            except Refusal as refusal:
                sentences = [each for each in refusal.body.get("errors", ()) if isinstance(each, str)]
                if sentences:
                    kind = {"resource": resource, "code": "custom"}
                    errors = [{**kind, "message": each} for each in sentences]
                    raise Refusal(refusal.status, "Validation Failed", errors=errors) from refusal
                raise

        return call

    return wrap


def _on_diff(gate: Gate) -> list[Route]:
    state = gate.state

    @_in_objects("PullRequestReviewComment")
    async def create(request: Request, repository: Repository) -> Response:
        pull = gate.pull(request, repository)
        made = await _create(state, repository, pull, await read_object(request))
        tell_review(state, repository, pull, pull.reviews[made.review_id], [made])
        return JSONResponse(comment_shape(state, repository, pull, made), status_code=201)

    @_in_objects("PullRequestReviewComment")
    async def reply(request: Request, repository: Repository) -> Response:
        pull = gate.pull(request, repository)
        comment = pull.comments.get(request.path_params["id"])
        if comment is None or comment.in_reply_to_id is not None:
            raise Refusal(404, "Not Found")
        text = check_body((await read_object(request)).get("body"))
        check_open_to_reviews(state, pull)
        made = make_reply(state, pull, comment, text, state.bot, association="NONE")
        tell_review(state, repository, pull, pull.reviews[made.review_id], [made])
        return JSONResponse(comment_shape(state, repository, pull, made), status_code=201)

    async def show(request: Request, repository: Repository) -> Response:
        pull, comment = _find(request, repository)
        return JSONResponse(comment_shape(state, repository, pull, comment))

    @_in_objects("PullRequestReviewComment")
    async def edit(request: Request, repository: Repository) -> Response:
        pull, comment = _find(request, repository)
        comment.body = check_body((await read_object(request)).get("body"))
        comment.updated_at = pull.updated_at = state.clock()
        tell_comment(state, repository, pull, comment, "edited")
        return JSONResponse(comment_shape(state, repository, pull, comment))

    async def delete(request: Request, repository: Repository) -> Response:
        pull, comment = _find(request, repository)
        del pull.comments[comment.id]
        pull.updated_at = state.clock()
        return Response(status_code=204)

    of_pull = "/repos/{owner}/{repo}/pulls/{number:int}/comments"
    one = "/repos/{owner}/{repo}/pulls/comments/{id:int}"
    return [
        Route(of_pull, gate.for_installation(create, write=_WRITING, content=True), methods=["POST"]),
        Route(
            of_pull + "/{id:int}/replies",
            gate.for_installation(reply, write=_WRITING, content=True),
            methods=["POST"],
        ),
        Route(one, gate.for_installation(edit, write=_WRITING), methods=["PATCH"]),
        Route(one, gate.for_installation(delete, write=_WRITING), methods=["DELETE"]),
        Route(one, gate.for_installation(show, read=_WRITING)),
    ]


def _in_conversation(gate: Gate) -> list[Route]:
    state = gate.state

    @_in_objects("IssueComment")
    async def create(request: Request, repository: Repository) -> Response:
        pull = gate.pull(request, repository)
        text = check_body((await read_object(request)).get("body"))
        if not text:
            raise Refusal(422, "Validation Failed")
        if pull.locked:
            raise Refusal(403, "Unable to create comment because issue is locked.")
        now = pull.updated_at = state.clock()
        made = IssueComment(state.next_id(), pull.number, text, state.bot, now, now, posted=state.ticks())
        pull.remarks[made.id] = made
        tell_remark(state, repository, pull, made, "created")
        return JSONResponse(remark_shape(state, repository, made), status_code=201)

    async def listing(request: Request, repository: Repository) -> Response:
        pull = gate.pull(request, repository)
        shown = [each for each in pull.remarks.values() if state.shows(each.posted)]
        return page(state, request, [remark_shape(state, repository, each) for each in shown])

    async def show(request: Request, repository: Repository) -> Response:
        _, remark = _find_remark(request, repository)
        return JSONResponse(remark_shape(state, repository, remark))

    @_in_objects("IssueComment")
    async def edit(request: Request, repository: Repository) -> Response:
        pull, remark = _find_remark(request, repository)
        remark.body = check_body((await read_object(request)).get("body"))
        remark.updated_at = pull.updated_at = state.clock()
        tell_remark(state, repository, pull, remark, "edited")
        return JSONResponse(remark_shape(state, repository, remark))

    conversation = "/repos/{owner}/{repo}/issues/{number:int}/comments"
    one = "/repos/{owner}/{repo}/issues/comments/{id:int}"
    return [
        Route(
            conversation,
            gate.for_installation(create, write=_WRITING, content=True),
            methods=["POST"],
        ),
        Route(conversation, gate.for_installation(listing, read=_WRITING)),
        Route(one, gate.for_installation(edit, write=_WRITING), methods=["PATCH"]),
        Route(one, gate.for_installation(show, read=_WRITING)),
    ]


async def _create(
    state: State, repository: Repository, pull: PullRequest, body: dict[str, Any]
) -> ReviewComment:
    """A comment that comes alone; it gets a review of its own."""
    draft = check_draft(body, ALONE)
    commit = draft.get("commit_id")
    if not isinstance(commit, str):
        raise Refusal(422, "Invalid request.\n\n'commit_id' wasn't supplied.")
    kind = draft.get("subject_type")
    if kind is not None and (kind != "file" or draft.get("line") is not None):
        # PyGithub/PyGithub#3293: with a line, the type is not to be named
        raise Refusal(422, "Invalid request.\n\nNo subschema in 'oneOf' matched.")
    check_open_to_reviews(state, pull)
    if commit not in pull.commits:
        raise _custom("commit_id", "commit_id is not part of the pull request")
    trial = Review(0, state.bot, "", "COMMENTED", commit, state.clock())
    (made,) = await place_comments(state, repository, pull, trial, [draft])
    made.review_id = make_review(state, pull, state.bot, commit, "NONE").id
    pull.comments[made.id] = made
    return made


def _custom(field: str, message: str) -> Refusal:
    error = {"resource": "PullRequestReviewComment", "code": "custom", "field": field, "message": message}
    return Refusal(422, "Validation Failed", errors=[error])


def _find(request: Request, repository: Repository) -> tuple[PullRequest, ReviewComment]:
    for pull in repository.pulls.values():
        if (comment := pull.comments.get(request.path_params["id"])) is not None:
            return pull, comment
    raise Refusal(404, "Not Found")


def _find_remark(request: Request, repository: Repository) -> tuple[PullRequest, IssueComment]:
    for pull in repository.pulls.values():
        if (remark := pull.remarks.get(request.path_params["id"])) is not None:
            return pull, remark
    raise Refusal(404, "Not Found")
