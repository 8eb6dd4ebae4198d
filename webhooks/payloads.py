"""Signed bodies to a closed vocabulary; past this module nobody sees a payload."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from reviewer.errors import BadPayload
from webhooks import commands
from webhooks.bodies import decode
from webhooks.news import (
    Ignored,
    InstallationGone,
    News,
    PersonGone,
    PullFacts,
    PullRequestChanged,
    RepositoriesGone,
    RepositoryMoved,
    ReviewAgain,
    StopReview,
    ThreadSettled,
)
from webhooks.publish.values import AGAIN, STOP
from webhooks.shapes import (
    AuthorizationEvent,
    CheckActionEvent,
    CheckRunEvent,
    CheckSuiteEvent,
    Comment,
    Event,
    IssueCommentEvent,
    PullRequestEvent,
    RepositoriesRemovedEvent,
    RepositoryEvent,
    ReviewCommentEvent,
    ReviewEvent,
    Run,
    RunEvent,
    ThreadEvent,
)
from webhooks.signature import VerifiedBody

_BUTTONS: dict[str, type[ReviewAgain | StopReview]] = {
    AGAIN.identifier: ReviewAgain,
    STOP.identifier: StopReview,
}
_OUR_REVIEW = re.compile(r"[0-9a-f]{32}")
_LONGEST_SHOWN = 60  # characters of a name out of a payload, in a reason
_Shape = TypeVar("_Shape", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class _Delivery:
    event: str
    action: str
    payload: dict[str, Any]
    commanders: frozenset[str]

    def read(self, shape: type[_Shape]) -> _Shape:
        try:
            return shape.model_validate(self.payload)
        except ValidationError as error:
            places = ", ".join(sorted({".".join(map(str, item["loc"])) for item in error.errors()}))
            raise BadPayload(f"the payload of {self.event!r} lacks, or has wrong: {places}") from error


def parse(body: VerifiedBody, *, event: str, content_type: str, commanders: frozenset[str]) -> News:
    """What a delivery tells us.

    Args:
        body: whose signature was checked.
        event: of the header X-GitHub-Event.
        content_type: of the header Content-Type; whatever is no form is read as JSON.
        commanders: `author_association` of who may give commands in comments.

    Raises:
        BadPayload: the body is not the JSON its event promises.
    """
    payload = decode(body.raw, content_type)
    routes = _ROUTES.get(event)
    if routes is None:
        return Ignored(_QUIET_EVENTS.get(event, f"nothing is done on the event {_shown(event)}"))
    action = payload.get("action")
    if not isinstance(action, str):
        raise BadPayload(f"the payload of {event!r} lacks, or has wrong: action")
    route = routes.get(action)
    if route is None:
        quiet = _QUIET_ACTIONS.get((event, action))
        return Ignored(quiet or f"nothing is done on the action {_shown(action)} of the event {event!r}")
    if payload.get("installation") is None and event not in _APP_EVENTS:
        return Ignored("the delivery comes from a repository's webhook, not from an installation of the app")
    return route(_Delivery(event, action, payload, commanders))


def _shown(text: str) -> str:
    return repr(text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…")


def _pull_request(delivery: _Delivery) -> News:
    found = delivery.read(PullRequestEvent)
    base_changed = found.changes is not None and found.changes.base is not None
    if delivery.action == "edited" and not base_changed:
        return Ignored("the pull request was edited, but not its base branch")
    return PullRequestChanged(
        action=delivery.action,
        pull=_facts(found),
        before=found.before if delivery.action == "synchronize" else None,
    )


def _facts(found: PullRequestEvent) -> PullFacts:
    pull = found.pull_request
    target = pull.base.repo or found.repository
    return PullFacts(
        place=found.place,
        number=pull.number,
        head_sha=pull.head.sha,
        base_ref=pull.base.ref,
        title=pull.title,
        url=pull.html_url,
        state=pull.state,
        draft=bool(pull.draft),
        author=pull.author,
        author_is_bot=pull.user is not None and pull.user.is_bot,
        fork=pull.head.repo is None or pull.head.repo.id != target.id,
        updated_at=pull.updated_at,
        labels=frozenset(label.name for label in pull.labels or ()),
    )


def _check_run_again(delivery: _Delivery) -> News:
    found = delivery.read(CheckRunEvent)
    return _asked(ReviewAgain, found, found.check_run)


def _check_run_action(delivery: _Delivery) -> News:
    found = delivery.read(CheckActionEvent)
    identifier = found.requested_action.identifier
    kind = _BUTTONS.get(identifier)
    if kind is None:
        return Ignored(f"the check run's action {_shown(identifier)} is none of ours")
    return _asked(kind, found, found.check_run)


def _check_suite_again(delivery: _Delivery) -> News:
    found = delivery.read(CheckSuiteEvent)
    return _asked(ReviewAgain, found, found.check_suite)


def _asked(kind: type[ReviewAgain | StopReview], found: RunEvent, run: Run) -> News:
    review = run.external_id if _OUR_REVIEW.fullmatch(run.external_id or "") else None
    return kind(
        place=found.place, number=found.number(run), head_sha=run.head_sha, review=review, by=found.by
    )


def _issue_comment(delivery: _Delivery) -> News:
    found = delivery.read(IssueCommentEvent)
    if found.issue.pull_request is None:
        return Ignored("the comment is on an issue, not on a pull request")
    return _said(delivery, found, found.comment, found.issue.number, None)


def _review_comment(delivery: _Delivery) -> News:
    found = delivery.read(ReviewCommentEvent)
    head = found.pull_request.head
    return _said(delivery, found, found.comment, found.pull_request.number, head.sha if head else None)


def _review(delivery: _Delivery) -> News:
    found = delivery.read(ReviewEvent)
    head = found.pull_request.head
    return _said(delivery, found, found.review, found.pull_request.number, head.sha if head else None)


def _said(
    delivery: _Delivery, found: RepositoryEvent, said: Comment, number: int, head_sha: str | None
) -> News:
    if said.by_bot or (found.sender is not None and found.sender.is_bot):
        return Ignored("the comment is by a bot; only people give commands")
    command = commands.parse(said.body or "")
    if command is None:
        return Ignored("the comment holds no command")
    if said.author_association not in delivery.commanders:
        allowed = ", ".join(sorted(delivery.commanders)) or "nobody"
        is_now = _shown(said.author_association or "NONE")
        return Ignored(f"commands are taken from {allowed}; {found.by} is {is_now} here")
    if isinstance(command, commands.Unknown):
        return Ignored(f"{_shown(command.word)} is no command; Sluice knows the commands {commands.KNOWN}")
    kind = ReviewAgain if command is commands.Command.REVIEW else StopReview
    return kind(place=found.place, number=number, head_sha=head_sha, review=None, by=found.by)


def _thread(delivery: _Delivery) -> News:
    found = delivery.read(ThreadEvent)
    if found.sender is not None and found.sender.is_bot:
        return Ignored("the thread was settled by a bot, not by a person")
    return ThreadSettled(
        place=found.place,
        number=found.pull_request.number,
        bodies=tuple(said.body for said in found.thread.comments if said.by_bot and said.body),
        resolved=delivery.action == "resolved",
    )


def _uninstalled(delivery: _Delivery) -> News:
    found = delivery.read(Event)
    return InstallationGone(found.installation.id, f"the app was uninstalled by {found.by}", forget=True)


def _suspended(delivery: _Delivery) -> News:
    found = delivery.read(Event)
    return InstallationGone(found.installation.id, f"the app was suspended by {found.by}", forget=False)


def _repositories_removed(delivery: _Delivery) -> News:
    found = delivery.read(RepositoriesRemovedEvent)
    return RepositoriesGone(
        installation=found.installation.id,
        repository_ids=tuple(each.id for each in found.repositories_removed),
        reason=f"the repository was taken out of the installation by {found.by}",
        forget=True,
    )


def _person_gone(delivery: _Delivery) -> News:
    person = delivery.read(AuthorizationEvent).sender
    return PersonGone(person.id, person.login)


def _repository_moved(delivery: _Delivery) -> News:
    return RepositoryMoved(delivery.read(RepositoryEvent).place)


def _repository_gone(delivery: _Delivery) -> News:
    found = delivery.read(RepositoryEvent)
    return RepositoriesGone(
        installation=found.installation.id,
        repository_ids=(found.repository.id,),
        reason=f"the repository was {delivery.action} by {found.by}",
        forget=delivery.action == "deleted",
    )


_PULL_REQUEST_ACTIONS = (
    "opened",
    "reopened",
    "synchronize",
    "ready_for_review",
    "labeled",
    "unlabeled",
    "converted_to_draft",
    "closed",
    "edited",
)
_ROUTES: dict[str, dict[str, Callable[[_Delivery], News]]] = {
    "pull_request": dict.fromkeys(_PULL_REQUEST_ACTIONS, _pull_request),
    "check_run": {"rerequested": _check_run_again, "requested_action": _check_run_action},
    "check_suite": {"rerequested": _check_suite_again},
    "issue_comment": {"created": _issue_comment},
    "pull_request_review_comment": {"created": _review_comment},
    "pull_request_review": {"submitted": _review},
    "pull_request_review_thread": {"resolved": _thread, "unresolved": _thread},
    "installation": {"deleted": _uninstalled, "suspend": _suspended},
    "installation_repositories": {"removed": _repositories_removed},
    "github_app_authorization": {"revoked": _person_gone},
    "repository": {
        "renamed": _repository_moved,
        "transferred": _repository_moved,
        "deleted": _repository_gone,
        "archived": _repository_gone,
    },
}
_APP_EVENTS = frozenset({"installation", "installation_repositories", "github_app_authorization"})
_QUIET_EVENTS = {
    "ping": "GitHub greets a new webhook; it is heard",
    "push": "a push to a pull request is told as one by the event 'pull_request'",
}
_QUIET_ACTIONS = {
    ("installation", "created"): "the app is installed; a pull request is reviewed when opened or pushed to",
    ("installation", "unsuspend"): "the app is back; pull requests are reviewed when they are next pushed to",
    ("installation", "new_permissions_accepted"): "the new permissions hold from the next review on",
    ("installation_repositories", "added"): "new repositories are reviewed from their next pull request on",
    ("check_suite", "requested"): "a push to a pull request is told by the event 'pull_request'",
}
