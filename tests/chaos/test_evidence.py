"""What a storm has left is read as it was meant."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from tests.chaos.evidence import open_matters, said_on, take_overs
from tests.chaos.record import Check, PullRecord, Pushed, Record, Told
from tests.chaos.workers import Life, Pause

BOT, PERSON = SimpleNamespace(type="Bot"), SimpleNamespace(type="User")
PULL = PullRecord("org1/shop", 7, (Pushed("a", frozenset()), Pushed("b", frozenset())))


def told(type_, at, head="b", review="r"):
    return Told(int(at * 10), type_, at, review, "org1/shop", 7, head)


def pull_with(*, reviews=(), comments=(), remarks=()) -> Any:
    return SimpleNamespace(
        reviews={each.id: each for each in reviews},
        comments={each.id: each for each in comments},
        remarks={each.id: each for each in remarks},
    )


def review(id_, body, state="COMMENTED", user=BOT):
    return SimpleNamespace(id=id_, body=body, state=state, user=user)


def comment(id_, body, review_id=1, user=BOT):
    return SimpleNamespace(id=id_, body=body, review_id=review_id, user=user)


def said(pull, plants=None):
    return {text.where: set(text.plants) for text in said_on(pull, plants or {})}


def test_a_text_says_what_its_marks_name():
    body = "Everything found: PLANT-1x0, PLANT-1x1 <!-- sluice:finding:aa --> <!-- sluice:finding:bb -->"

    [text] = said_on(pull_with(reviews=[review(1, body)]), {"aa": "1x0"})

    assert text.plants == {"1x0"}
    assert text.fingerprints == ("aa", "bb")


def test_a_comment_may_call_its_code_gone():
    body = "PLANT-1x0 <!-- sluice:finding:aa --> <!-- sluice:resolved -->"

    [text] = said_on(pull_with(remarks=[comment(3, body)]), {"aa": "1x0"})

    assert text.gone


def test_a_text_without_marks_says_what_it_names():
    assert said(pull_with(reviews=[review(1, "PLANT-1x0 and PLANT-1x1")])) == {"review 1": {"1x0", "1x1"}}


def test_what_nobody_sees_and_what_people_write_is_not_said():
    pull = pull_with(
        reviews=[review(1, "PLANT-1x0"), review(2, "PLANT-1x1", state="PENDING")],
        comments=[comment(3, "PLANT-1x2", 2), comment(4, "PLANT-1x3", user=PERSON), comment(5, "PLANT-1x4")],
        remarks=[comment(6, "PLANT-1x5")],
    )

    assert said(pull) == {"review 1": {"1x0"}, "comment 5": {"1x4"}, "remark 6": {"1x5"}}


def test_a_take_over_is_the_time_to_the_next_run():
    feed = (told("review.started", 10), told("review.started", 17), told("review.completed", 20))
    killed = Record(feed=feed, lives=(Life("east", 0, 12, killed=True), Life("east", 13, 30)))
    stopped = Record(feed=feed, pauses=(Pause("east", 14, 19),))

    assert take_overs(killed) == [5]
    assert take_overs(stopped) == [3]
    assert take_overs(replace(killed, lives=(Life("east", 0, 21, killed=True),))) == []
    assert take_overs(replace(killed, lives=(Life("east", 0, 9, killed=True),))) == []


def test_what_may_still_end_is_open():
    check = Check(1, "b", "in_progress", None)

    assert list(open_matters(Record(pulls=(PULL,), feed=(told("review.queued", 1),)))) == [
        "review r has no end"
    ]
    [unknown] = open_matters(
        Record(pulls=(PULL,), feed=(told("review.queued", 1, "a"), told("review.superseded", 2, "a")))
    )
    assert "nothing is known" in unknown
    [going] = open_matters(
        Record(pulls=(replace(PULL, checks=(check,)),), feed=(told("review.completed", 2),))
    )
    assert "in_progress" in going


def test_what_has_failed_is_not_waited_for():
    assert list(open_matters(Record(pulls=(PULL,), feed=(told("review.failed", 2),)))) == []
