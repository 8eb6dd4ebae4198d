"""The page of a pull request, in plain text: what people would see of it."""

from __future__ import annotations

from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from webhooks.sandbox.access import Gate
from webhooks.sandbox.refusals import Refusal
from webhooks.sandbox.state import PullRequest, Repository, State


def routes(gate: Gate) -> list[Route]:
    """The one page, for whoever is signed in."""
    state = gate.state

    async def pull_request(request: Request) -> Response:
        path = request.path_params
        repository = state.find_repository(path["owner"], path["repo"])
        pull = repository.pulls.get(path["number"]) if repository else None
        if repository is None or pull is None or not _may_read(state, repository):
            raise Refusal(404, "Not Found")
        return PlainTextResponse("\n\n".join(_told(repository, pull)))

    return [Route("/{owner}/{repo}/pull/{number:int}", pull_request)]


def _may_read(state: State, repository: Repository) -> bool:
    person = state.logins.signed_in
    if not repository.private:
        return True
    return person is not None and state.level(repository, person.login) not in {None, "none"}


def _told(repository: Repository, pull: PullRequest) -> Iterator[str]:
    yield f"{repository.full_name}#{pull.number} on the stand-in GitHub ({pull.state})"
    yield f"{pull.title}\n{pull.body or ''}".strip()
    for check in repository.check_runs.values():
        if check.head_sha == pull.head_sha:
            yield f"Check run {check.name}: {check.conclusion or check.status}"
    for review in pull.reviews.values():
        if review.state != "PENDING":
            yield f"── {review.user.login} reviewed\n{review.body}"
    for comment in pull.comments.values():
        where = comment.path if comment.line is None else f"{comment.path}:{comment.line}"
        yield f"── {comment.user.login} on {where}\n{comment.body}"
    for remark in pull.remarks.values():
        yield f"── {remark.user.login} said\n{remark.body}"
