"""Worlds made by hand: in some all is well, each of the others is broken in one way that is to be caught."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.chaos.gate import Call
from tests.chaos.invariants import (
    CALL_SECONDS,
    INVARIANTS,
    LOOK_SECONDS,
    PUBLISHING_SECONDS,
    WAKING_SECONDS,
    broken,
)
from tests.chaos.model import Asked
from tests.chaos.record import (
    Balance,
    Check,
    Held,
    Peak,
    PullRecord,
    Pushed,
    Record,
    Said,
    Stored,
    Taken,
    Told,
)
from tests.chaos.weather import Trouble
from tests.chaos.workers import Life, Pause
from tests.fakes.claude import Answer

OLD, NEW = "a" * 40, "b" * 40
OLD_AT, NEW_AT = 100.0, 110.0
REVIEWS = "/repos/org1/shop/pulls/7/reviews"


def told(position: int, type_: str, at: float, *, review: str = "new", head: str = NEW) -> Told:
    return Told(position, type_, at, review, "org1/shop", 7, head)


def posted(at: float, head: str, path: str = REVIEWS, status: int = 200) -> Call:
    return Call("POST", path, {"commit_id": head}, at, status, at)


def asked(at: float, chunk: str = "c1", *, whole: bool = True, worker: str = "east") -> Asked:
    return Asked(worker, at, (chunk,), Answer(ended_at=1.0 if whole else None))


HEADS = (Pushed(OLD, frozenset({"1x0"}), OLD_AT), Pushed(NEW, frozenset({"1x0", "1x1"}), NEW_AT))
CHECKS = (Check(1, OLD, "completed", "cancelled"), Check(2, NEW, "completed", "neutral"))
SAID = (
    Said("comment 1", frozenset({"1x0"}), ("f0",)),
    Said("review 3", frozenset({"1x1"}), ("f1",)),
)
PULL = PullRecord("org1/shop", 7, HEADS, SAID, CHECKS)
FEED = (
    told(1, "review.queued", OLD_AT, review="old", head=OLD),
    told(2, "review.started", 101, review="old", head=OLD),
    told(3, "review.queued", NEW_AT),
    told(4, "review.superseded", 110.5, review="old", head=OLD),
    told(5, "review.started", 111),
    told(6, "review.completed", 115),
)
WELL = Record(
    pulls=(PULL,),
    feed=FEED,
    taken=(Taken(OLD, OLD_AT), Taken(NEW, NEW_AT)),
    calls=(posted(105, OLD), posted(114, NEW)),
    asked=(asked(112), asked(112, "c2")),
    stored=(Stored("c1", 113), Stored("c2", 113)),
    peaks=(Peak("the review account of new", 9_000, 9_000, 10_000, 10_000),),
    balances=(Balance("the review account of new", 0, 0),),
)


def with_pull(**changed: object) -> Record:
    return replace(WELL, pulls=(replace(PULL, **changed),))


def with_feed(*more: Told, without: int | None = None) -> Record:
    return replace(WELL, feed=(*(event for event in FEED if event.position != without), *more))


def with_held(at: float, **died: object) -> Record:
    balance = Balance("the review account of new", 500, 500)
    return replace(WELL, held=(Held("new", at, 500),), balances=(balance,), **died)


GOOD = {
    "all is well": WELL,
    "a review that meets a push is refused": replace(WELL, calls=(posted(NEW_AT + 1, OLD, status=422),)),
    "the storm itself answers 422": replace(
        WELL, calls=(replace(posted(114, NEW), status=None, trouble=Trouble.DISGUISED),)
    ),
    "a chunk is asked for again after a cut": replace(WELL, asked=(asked(111, whole=False), asked(112))),
    "a finished chunk is asked for again, and the answer is cut off": replace(
        WELL, asked=(asked(112), asked(120, whole=False))
    ),
    "two workers ask before either has finished": replace(
        WELL, asked=(asked(112), asked(112.5, worker="west"))
    ),
    "a run had looked just before": replace(WELL, asked=(asked(112), asked(113 + LOOK_SECONDS / 2))),
    "a worker that has just woken asks again": replace(
        WELL,
        asked=(asked(112), asked(120, worker="west")),
        pauses=(Pause("west", 105, 120 - WAKING_SECONDS / 2),),
    ),
    "a killed worker holds what it set aside": with_held(112, lives=(Life("east", 90, 113, killed=True),)),
    "what was settled while the database was away stays": with_held(112, outages=((113.0, 115.0),)),
    "an old head's review was on its way": replace(
        WELL, calls=(posted(NEW_AT + PUBLISHING_SECONDS / 2, OLD),)
    ),
    "an old head's review was sent in time, and slow on its way": replace(
        WELL, calls=(replace(posted(NEW_AT, OLD), acted_at=NEW_AT + PUBLISHING_SECONDS * 2),)
    ),
    "an old head's review was refused": replace(WELL, calls=(posted(114, OLD, status=502),)),
    "an old head's check run ends late": replace(
        WELL, calls=(posted(118, OLD, "/repos/org1/shop/check-runs"),)
    ),
    "a finding has no mark": with_pull(said=(SAID[0], Said("review 3", frozenset({"1x1"})))),
    "what was gone and came back is said again": with_pull(said=(*SAID, replace(SAID[0], gone=True))),
    "what has gone from the code is still said": with_pull(
        said=(*SAID, Said("comment 9", frozenset({"1x9"}), ("f9",)))
    ),
}

HEAD, FINDING, REFUSED, BOUGHT, CHECK, BUDGET, OLD_HEAD, END = INVARIANTS

BROKEN = {
    "the last head has no review": (HEAD, with_feed(without=6)),
    "only an older head was reviewed": (
        HEAD,
        replace(WELL, feed=(*FEED[:5], replace(FEED[5], review="old2", head=OLD))),
    ),
    "a review failed": (HEAD, with_feed(told(7, "review.failed", 116, review="again"))),
    "the last head gave way to an older one": (
        HEAD,
        with_feed(told(7, "review.superseded", 116, review="late")),
    ),
    "the last head's check run was cancelled": (
        HEAD,
        with_pull(checks=(CHECKS[0], replace(CHECKS[1], conclusion="cancelled"))),
    ),
    "the last head has no check run": (HEAD, with_pull(checks=CHECKS[:1])),
    "a finding is missing": (FINDING, with_pull(said=SAID[:1])),
    "a finding is said twice": (
        FINDING,
        with_pull(said=(*SAID, Said("comment 9", frozenset({"1x1"}), ("f7",)))),
    ),
    "a finding is called gone though its code stands": (
        FINDING,
        with_pull(said=(SAID[0], replace(SAID[1], gone=True))),
    ),
    "a finding of an older head is said twice": (
        FINDING,
        with_pull(
            said=(
                *SAID,
                Said("comment 8", frozenset({"1x9"}), ("f8",)),
                Said("comment 9", frozenset({"1x9"}), ("f9",)),
            )
        ),
    ),
    "a fingerprint stands twice": (
        FINDING,
        with_pull(said=(*SAID, Said("review 9", frozenset(), ("f0",)))),
    ),
    "a fingerprint stands twice in one text": (
        FINDING,
        with_pull(said=(SAID[0], replace(SAID[1], fingerprints=("f1", "f1")))),
    ),
    "a review is refused": (REFUSED, replace(WELL, calls=(posted(114, NEW, status=422),))),
    "a check run is refused": (
        REFUSED,
        replace(WELL, calls=(posted(114, NEW, "/repos/org1/shop/check-runs", status=422),)),
    ),
    "an old head's review is refused long after the push": (
        REFUSED,
        replace(WELL, calls=(posted(NEW_AT + PUBLISHING_SECONDS + 1, OLD, status=422),)),
    ),
    "a finished chunk is bought again": (BOUGHT, replace(WELL, asked=(asked(112), asked(114)))),
    "a batch holds a finished chunk": (
        BOUGHT,
        replace(WELL, asked=(replace(asked(114), chunks=("c3", "c1")),)),
    ),
    "a chunk that was stored again is bought again": (
        BOUGHT,
        replace(WELL, asked=(asked(114),), stored=(Stored("c1", 113), Stored("c1", 120))),
    ),
    "a worker that woke long ago buys again": (
        BOUGHT,
        replace(
            WELL,
            asked=(asked(120, worker="west"),),
            pauses=(Pause("west", 105, 120 - WAKING_SECONDS - 1),),
        ),
    ),
    "another worker than the woken one buys again": (
        BOUGHT,
        replace(WELL, asked=(asked(120),), pauses=(Pause("west", 105, 119),)),
    ),
    "a check run goes on": (CHECK, with_pull(checks=(*CHECKS, Check(3, OLD, "in_progress", None)))),
    "a check run is queued": (CHECK, with_pull(checks=(*CHECKS, Check(3, NEW, "queued", None)))),
    "an account held too many tokens": (
        BUDGET,
        replace(WELL, peaks=(replace(WELL.peaks[0], tokens=10_001),)),
    ),
    "an account held too much money": (
        BUDGET,
        replace(WELL, peaks=(replace(WELL.peaks[0], micros=10_001),)),
    ),
    "something is set aside for nobody": (
        BUDGET,
        replace(WELL, balances=(Balance("the review account of new", 500, 0),)),
    ),
    "something is still set aside though nobody died": (BUDGET, with_held(112)),
    "a worker that ended in order holds something": (BUDGET, with_held(112, lives=(Life("east", 90, 113),))),
    "a worker was killed before": (BUDGET, with_held(112, lives=(Life("east", 90, 111, killed=True),))),
    "a worker was killed long after": (
        BUDGET,
        with_held(112, lives=(Life("east", 90, 113 + CALL_SECONDS, killed=True),)),
    ),
    "an old head's review appears": (OLD_HEAD, replace(WELL, calls=(posted(114, OLD),))),
    "an old head's comment appears": (
        OLD_HEAD,
        replace(WELL, calls=(posted(114, OLD, "/repos/org1/shop/pulls/7/comments"),)),
    ),
    "an old head's review appears, and its answer is lost": (
        OLD_HEAD,
        replace(WELL, calls=(replace(posted(114, OLD), trouble=Trouble.UNHEARD),)),
    ),
    "only the feed tells when the newer head was known": (
        OLD_HEAD,
        replace(WELL, taken=(), calls=(posted(114, OLD),)),
    ),
    "a review ends twice": (END, with_feed(told(7, "review.completed", 116))),
    "a review goes on after its end": (END, with_feed(told(7, "finding", 116))),
    "a review never ends": (END, with_feed(told(7, "review.queued", 116, review="third"))),
}


@pytest.mark.parametrize("record", GOOD.values(), ids=GOOD)
def test_what_is_allowed_breaks_nothing(record):
    assert {name: found for name, found in broken(record).items() if found} == {}


@pytest.mark.parametrize(("name", "record"), BROKEN.values(), ids=BROKEN)
def test_a_broken_world_is_caught(name, record):
    assert broken(record)[name]


def test_every_invariant_is_broken_by_some_world():
    assert {name for name, _ in BROKEN.values()} == set(INVARIANTS)
