from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests import github_payloads as made
from tests.github_payloads import ANN, BEFORE, HEAD, OUR_REVIEW, PLACE, RENOVATE, read
from webhooks.news import (
    Ignored,
    InstallationGone,
    PersonGone,
    PullFacts,
    PullRequestChanged,
    RepositoriesGone,
    RepositoryMoved,
    ReviewAgain,
    StopReview,
    ThreadSettled,
)

FACTS = PullFacts(
    place=PLACE,
    number=3,
    head_sha=HEAD,
    base_ref="main",
    title="Add checkout",
    url="https://github.example/octo/shop/pull/3",
    state="open",
    draft=False,
    author="ann",
    author_is_bot=False,
    fork=False,
    updated_at=datetime(2026, 11, 24, 10, 20, 30, tzinfo=UTC),
    labels=frozenset({"review", "shop"}),
)
BY_RUN = {"place": PLACE, "number": 3, "head_sha": HEAD, "review": OUR_REVIEW, "by": "ann"}
BY_COMMENT = {"place": PLACE, "number": 3, "head_sha": None, "review": None, "by": "ann"}


def facts(**changes: Any) -> PullFacts:
    news = read(made.pull_request("opened", **changes), "pull_request")
    assert isinstance(news, PullRequestChanged)
    return news.pull


def reason(payload: Any, event: str) -> str:
    news = read(payload, event)
    assert isinstance(news, Ignored)
    return news.reason


@pytest.mark.parametrize(
    "action",
    ["opened", "reopened", "ready_for_review", "labeled", "unlabeled", "converted_to_draft", "closed"],
)
def test_a_change_that_bears_on_reviews_tells_the_pull_request(action):
    assert read(made.pull_request(action), "pull_request") == PullRequestChanged(action, FACTS)


def test_a_push_tells_the_head_it_follows():
    pushed = made.pull_request("synchronize", around={"before": BEFORE, "after": HEAD})

    assert read(pushed, "pull_request") == PullRequestChanged("synchronize", FACTS, before=BEFORE)


def test_an_edit_counts_when_the_base_is_another():
    rebased = made.pull_request("edited", around={"changes": {"base": {"ref": {"from": "old"}}}})
    retitled = made.pull_request("edited", around={"changes": {"title": {"from": "old"}}})

    assert read(rebased, "pull_request") == PullRequestChanged("edited", FACTS)
    assert "not its base" in reason(retitled, "pull_request")


@pytest.mark.parametrize(
    ("repo", "fork"), [({"id": 11}, False), ({"id": 12, "full_name": "eve/shop"}, True), (None, True)]
)
def test_a_head_in_another_repository_or_in_none_is_a_fork(repo, fork):
    assert facts(head={"sha": HEAD, "repo": repo}).fork is fork


@pytest.mark.parametrize(
    ("user", "author", "is_bot"),
    [
        (ANN, "ann", False),
        (RENOVATE, "renovate[bot]", True),
        ({"login": "dependabot", "type": "Bot"}, "dependabot", True),
        ({"login": "old[bot]"}, "old[bot]", True),
        ({"login": "acme", "type": "Organization"}, "acme", False),
        (None, "ghost", False),
    ],
)
def test_the_author_is_known_for_a_bot_or_not(user, author, is_bot):
    found = facts(user=user)

    assert (found.author, found.author_is_bot) == (author, is_bot)


def test_what_may_be_absent_is_missed_by_nobody():
    bare = made.pull_request("opened")
    for name in ("draft", "user", "labels"):
        del bare["pull_request"][name]
    del bare["pull_request"]["base"]["repo"]
    del bare["sender"]

    news = read(bare, "pull_request")

    assert news == PullRequestChanged("opened", replace(FACTS, author="ghost", labels=frozenset()))


def test_times_are_told_in_utc():
    assert facts(updated_at="2026-11-24T12:20:30+02:00").updated_at.isoformat() == "2026-11-24T10:20:30+00:00"


def test_text_that_a_database_refuses_is_replaced():
    found = facts(title="a\0b \ud800c", labels=[{"name": "x\0"}], base={"ref": "ma\0in"})
    moved = made.repository("renamed")
    moved["repository"] = {"id": 11, "full_name": "octo/\udc00"}

    assert (found.title, found.base_ref, found.labels) == ("a\ufffdb \ufffdc", "ma\ufffdin", {"x\ufffd"})
    assert read(moved, "repository") == RepositoryMoved(replace(PLACE, repository="octo/\ufffd"))


@pytest.mark.parametrize(
    ("payload", "event", "news"),
    [
        (made.check_run("rerequested"), "check_run", ReviewAgain(**BY_RUN)),
        (made.check_run("requested_action", button="again"), "check_run", ReviewAgain(**BY_RUN)),
        (made.check_run("requested_action", button="stop"), "check_run", StopReview(**BY_RUN)),
        (made.check_suite("rerequested"), "check_suite", ReviewAgain(**{**BY_RUN, "review": None})),
    ],
)
def test_a_run_asks_for_a_review_or_for_its_end(payload, event, news):
    assert read(payload, event) == news


@pytest.mark.parametrize(
    "theirs", ["", None, "lint-7", OUR_REVIEW.upper(), OUR_REVIEW + "0", OUR_REVIEW + "\n"]
)
def test_the_id_of_another_app_is_no_review_of_ours(theirs):
    assert read(made.check_run("rerequested", external_id=theirs), "check_run") == ReviewAgain(
        **{**BY_RUN, "review": None}
    )


@pytest.mark.parametrize(
    ("pulls", "number"),
    [
        ([], None),
        (None, None),
        ([{"number": 9, "base": {"repo": {"id": 12}}}], None),
        ([{"number": 9, "base": {"repo": {"id": 12}}}, {"number": 4, "base": {"repo": {"id": 11}}}], 4),
        ([{"number": 4}, {"number": 5}], 4),
    ],
)
def test_a_run_names_the_first_pull_request_into_its_repository_if_any(pulls, number):
    news = read(made.check_run("rerequested", pull_requests=pulls), "check_run")

    assert news == ReviewAgain(**{**BY_RUN, "number": number})


@pytest.mark.parametrize(
    ("payload", "event", "head_sha"),
    [
        (made.issue_comment("/sluice {}"), "issue_comment", None),
        (made.review_comment("/sluice {}"), "pull_request_review_comment", HEAD),
        (made.review("Nice.\n\n@sluice {}"), "pull_request_review", HEAD),
    ],
)
@pytest.mark.parametrize(("word", "kind"), [("review", ReviewAgain), ("stop", StopReview)])
def test_a_command_on_a_pull_request_is_heard_wherever_it_is_said(payload, event, head_sha, word, kind):
    said = json.loads(json.dumps(payload).replace("{}", word))

    assert read(said, event) == kind(**{**BY_COMMENT, "head_sha": head_sha})


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (made.issue_comment("/sluice review", on_pull_request=False), "on an issue"),
        (made.issue_comment("Please review this"), "no command"),
        (made.issue_comment(None), "no command"),
        (made.issue_comment("/sluice review", by=RENOVATE), "bot"),
        ({**made.issue_comment("/sluice review"), "sender": {"login": "x", "type": "Bot"}}, "bot"),
        ({**made.issue_comment("/sluice review", by=RENOVATE), "sender": ANN}, "bot"),
        (made.issue_comment("/sluice review", by={"login": "x[bot]", "type": "User"}), "bot"),
        (
            made.issue_comment("/sluice stop", association="CONTRIBUTOR"),
            "MEMBER, OWNER; ann is 'CONTRIBUTOR'",
        ),
        (
            made.issue_comment("/sluice dance"),
            "'dance' is no command; Sluice knows the commands review and stop",
        ),
        ({**made.issue_comment("/sluice review"), "action": "edited"}, "action 'edited'"),
    ],
)
def test_a_comment_that_commands_nothing_is_ignored_with_the_reason(payload, why):
    assert why in reason(payload, "issue_comment")


def test_who_may_command_is_told_by_the_caller():
    payload = made.issue_comment("/sluice review", association="NONE")

    assert read(payload, "issue_comment", commanders=frozenset({"NONE"})) == ReviewAgain(**BY_COMMENT)
    assert isinstance(read(payload, "issue_comment", commanders=frozenset()), Ignored)


def test_a_settled_thread_tells_what_bots_said_in_it():
    ours = made.said("<!-- ours -->\0", by={"login": "sluice[bot]", "type": "Bot"})
    comments = [ours, made.said("You are right"), made.said(None, by=RENOVATE)]

    for action, resolved in (("resolved", True), ("unresolved", False)):
        news = read(made.thread(action, comments), "pull_request_review_thread")
        assert news == ThreadSettled(PLACE, 3, bodies=("<!-- ours -->\ufffd",), resolved=resolved)


def test_a_thread_settled_by_a_bot_is_no_word_of_a_person():
    assert "bot" in reason(made.thread("resolved", [], sender=RENOVATE), "pull_request_review_thread")


@pytest.mark.parametrize(
    ("payload", "event", "news"),
    [
        (
            made.installation("deleted"),
            "installation",
            InstallationGone(7, "the app was uninstalled by ann", forget=True),
        ),
        (
            made.installation("suspend"),
            "installation",
            InstallationGone(7, "the app was suspended by ann", forget=False),
        ),
        (
            made.repositories_removed(11, 12),
            "installation_repositories",
            RepositoriesGone(
                7, (11, 12), "the repository was taken out of the installation by ann", forget=True
            ),
        ),
        (
            made.repository("deleted"),
            "repository",
            RepositoriesGone(7, (11,), "the repository was deleted by ann", forget=True),
        ),
        (
            made.repository("archived"),
            "repository",
            RepositoriesGone(7, (11,), "the repository was archived by ann", forget=False),
        ),
        (made.repository("renamed"), "repository", RepositoryMoved(PLACE)),
        (made.repository("transferred"), "repository", RepositoryMoved(PLACE)),
        ({"action": "revoked", "sender": {**ANN, "id": 5}}, "github_app_authorization", PersonGone(5, "ann")),
    ],
)
def test_what_goes_away_or_moves_is_told(payload, event, news):
    assert read(payload, event) == news


@pytest.mark.parametrize(
    ("payload", "event", "why"),
    [
        (made.pull_request("assigned"), "pull_request", "action 'assigned' of the event 'pull_request'"),
        (made.pull_request("x" * 999), "pull_request", "x" * 60 + "…"),
        (made.pull_request("opened", around={"installation": None}), "pull_request", "repository's webhook"),
        (made.check_run("created"), "check_run", "'created'"),
        (made.check_run("requested_action", button="lgtm"), "check_run", "'lgtm' is none of ours"),
        (made.check_suite("requested"), "check_suite", "'pull_request'"),
        (made.installation("created"), "installation", "installed"),
        (made.installation("unsuspend"), "installation", "back"),
        (made.installation("new_permissions_accepted"), "installation", "permissions"),
        (made.installation("added"), "installation_repositories", "next pull request"),
        (made.repository("unarchived"), "repository", "'unarchived'"),
        ({"action": "granted", "sender": ANN}, "github_app_authorization", "'granted'"),
        ({"zen": "Keep it logically awesome."}, "ping", "greets"),
        ({}, "push", "pull_request"),
        ({"action": 3}, "never_heard_of", "event 'never_heard_of'"),
    ],
)
def test_what_asks_for_nothing_is_ignored_with_the_reason(payload, event, why):
    assert why in reason(payload, event)
