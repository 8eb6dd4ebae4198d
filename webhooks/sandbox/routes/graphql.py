"""What the app asks in GraphQL, and no more: threads of a pull request, and to resolve one.

https://docs.github.com/graphql. Whatever fails in here is answered with 200 and `errors`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from webhooks.sandbox.access import Gate
from webhooks.sandbox.documents import BadDocument, Field, parse
from webhooks.sandbox.echoes import tell_thread
from webhooks.sandbox.refusals import Refusal, read_object
from webhooks.sandbox.shapes import thread_id, time_shape
from webhooks.sandbox.state import Installation, PullRequest, Repository, ReviewComment, State

_MOST = 100
_RESOLVING = {"resolveReviewThread": True, "unresolveReviewThread": False}


class _Problem(Exception):
    """Something that GraphQL answers as an error."""

    def __init__(self, kind: str | None, message: str, path: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.shape: dict[str, Any] = {"message": message}
        if kind is not None:
            self.shape |= {"type": kind, "path": list(path)}


def routes(gate: Gate) -> list[Route]:
    """The one route of GraphQL."""
    state = gate.state

    async def answer(request: Request, installation: Installation) -> Response:
        body = await read_object(request)
        variables = cast("dict[str, Any]", body.get("variables") or {})
        try:
            document = parse(str(body.get("query", "")), variables)
            if document.kind == "query":
                return JSONResponse({"data": _query(state, installation, document.root)})
            gate.write(installation, content=False)
            return JSONResponse({"data": _mutate(gate, installation, document.root)})
        except BadDocument as error:
            return JSONResponse({"errors": [{"message": str(error)}]})
        except _Problem as problem:
            path = problem.shape.get("path")
            data = {"data": {path[0]: None}} if path else {}
            return JSONResponse({**data, "errors": [problem.shape]})

    return [Route("/graphql", gate.for_token(answer), methods=["POST"])]


def _query(state: State, installation: Installation, root: Field) -> dict[str, Any]:
    asked = _only(root, "repository")
    owner, name = str(asked.arguments.get("owner")), str(asked.arguments.get("name"))
    repository = state.find_repository(owner, name) or state.find_moved(owner, name)
    if repository is None or repository.installation_id != installation.id:
        message = f"Could not resolve to a Repository with the name '{owner}/{name}'."
        raise _Problem("NOT_FOUND", message, ["repository"])
    of_pull = _only(asked, "pullRequest")
    number = of_pull.arguments.get("number")
    pull = repository.pulls.get(number) if isinstance(number, int) else None
    if pull is None:
        message = f"Could not resolve to a PullRequest with the number of {number}."
        raise _Problem("NOT_FOUND", message, ["repository", "pullRequest"])
    of_threads = _only(of_pull, "reviewThreads")
    roots = [each for each in pull.comments.values() if each.in_reply_to_id is None and _said(pull, each)]
    nodes = [_thread(pull, each, of_threads) for each in roots if state.shows(each.posted)]
    return _shaped(root, {"repository": {"pullRequest": {"reviewThreads": _page(of_threads, nodes)}}})


def _mutate(gate: Gate, installation: Installation, root: Field) -> dict[str, Any]:
    state = gate.state
    if len(root.fields) != 1 or root.fields[0].name not in _RESOLVING:
        raise _Problem(None, f"Field {_names(root)} doesn't exist on type 'Mutation'")
    asked = root.fields[0]
    try:
        gate.need(installation, None, "contents", "write")
        gate.need(installation, None, "pull_requests", "write")
    except Refusal as refusal:
        raise _Problem("FORBIDDEN", str(refusal), [asked.name]) from refusal
    given = asked.arguments.get("input")
    thread = cast("dict[str, Any]", given).get("threadId") if isinstance(given, dict) else None
    for repository in _reached(state, installation):
        for pull in repository.pulls.values():
            for comment in pull.comments.values():
                if comment.in_reply_to_id is None and thread_id(comment.id) == thread:
                    _settle(state, pull, comment.id, resolved=_RESOLVING[asked.name])
                    tell_thread(state, repository, pull, comment.id, resolved=_RESOLVING[asked.name])
                    return _shaped(root, {asked.name: {"thread": _thread(pull, comment, None)}})
    raise _Problem("NOT_FOUND", f"Could not resolve to a node with the global id of '{thread}'", [asked.name])


def _reached(state: State, installation: Installation) -> list[Repository]:
    return [each for each in state.repositories.values() if each.installation_id == installation.id]


def _settle(state: State, pull: PullRequest, root: int, *, resolved: bool) -> None:
    if resolved:
        pull.resolved[root] = state.bot
    else:
        pull.resolved.pop(root, None)
    pull.updated_at = state.clock()


def _said(pull: PullRequest, comment: ReviewComment) -> bool:
    """Whether a comment is out: those of pending reviews are not."""
    return pull.reviews[comment.review_id].state != "PENDING"


def _thread(pull: PullRequest, root: ReviewComment, asked: Field | None) -> dict[str, Any]:
    by = pull.resolved.get(root.id)
    thread: dict[str, Any] = {
        "id": thread_id(root.id),
        "isResolved": by is not None,
        "isOutdated": root.subject_type == "line" and root.line is None,
        "resolvedBy": None if by is None else {"login": by.login.removesuffix("[bot]")},
        "path": root.path,
        "line": root.line,
    }
    nodes = asked.get("nodes") if asked else None
    if nodes and (comments := nodes.get("comments")):
        thread["comments"] = _page(comments, [_comment(each) for each in pull.thread(root)])
    return thread


def _comment(comment: ReviewComment) -> dict[str, Any]:
    kind = "Bot" if comment.user.type == "Bot" else "User"
    return {
        "id": f"PRRC_{comment.id}",
        "databaseId": comment.id,
        "fullDatabaseId": str(comment.id),  # a BigInt, which JSON has as text
        "body": comment.body,
        "createdAt": time_shape(comment.created_at),
        "author": {"login": comment.user.login.removesuffix("[bot]"), "__typename": kind},
    }


def _page(asked: Field, nodes: list[dict[str, Any]]) -> dict[str, Any]:
    """A page of a connection; cursors are counts."""
    first, after = asked.arguments.get("first"), asked.arguments.get("after")
    if not isinstance(first, int):
        message = "You must provide a `first` or `last` value to properly paginate the"
        raise _Problem("MISSING_PAGINATION_BOUNDARIES", f"{message} `{asked.name}` connection.")
    if not 1 <= first <= _MOST:
        message = f"Requesting {first} records on the `{asked.name}` connection exceeds the `first` limit of"
        raise _Problem("EXCESSIVE_PAGINATION", f"{message} {_MOST} records.")
    if after is not None and not str(after).isdecimal():
        raise _Problem("INVALID_CURSOR_ARGUMENTS", f"`{after}` does not appear to be a valid cursor.")
    start = int(after or 0)
    shown = nodes[start : start + first]
    end = start + len(shown)
    info = {"hasNextPage": end < len(nodes), "endCursor": str(end) if shown else None}
    return {"nodes": shown, "pageInfo": info, "totalCount": len(nodes)}


def _shaped(asked: Field, data: Mapping[str, Any]) -> dict[str, Any]:
    """Of some data what was asked for, and nothing else."""
    found: dict[str, Any] = {}
    for each in asked.fields:
        if each.name not in data:
            raise _Problem(None, f"Field '{each.name}' doesn't exist on the type of '{asked.name}'")
        found[each.name] = _part(each, data[each.name])
    return found


def _part(asked: Field, value: Any) -> Any:
    if isinstance(value, list):
        return [_part(asked, item) for item in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    if not asked.fields:
        raise _Problem(None, f"Field '{asked.name}' must have selections")
    return _shaped(asked, cast("dict[str, Any]", value))


def _only(asked: Field, name: str) -> Field:
    """The one field that the sandbox knows here."""
    found = asked.get(name)
    if found is None or len(asked.fields) != 1:
        raise _Problem(None, f"The sandbox knows only {name!r} of {asked.name!r}, not {_names(asked)}")
    return found


def _names(asked: Field) -> str:
    return ", ".join(repr(each.name) for each in asked.fields)
