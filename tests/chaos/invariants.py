"""What must hold when a storm is over. Each gives what breaks it, in sentences; nothing is good. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from tests.chaos.gate import Call
from tests.chaos.record import TERMINAL, PullRecord, Record, Told

PUBLISHING_SECONDS = 2.0
"""A write whose intent stood before a newer head was taken may still be on its way so long."""

LOOK_SECONDS = 0.5
"""A run that looked into the ledger before a chunk stood there asks for it within so long."""

WAKING_SECONDS = 5.0
"""A worker that wakes from SIGSTOP finds out within so long that its work is another's."""

CALL_SECONDS = 60.0
"""No call of a storm, with all its tries, goes on for longer."""

_PUBLISHING = re.compile(r"/repos/(?P<repository>[^/]+/[^/]+)/pulls/(?P<number>\d+)/(?:reviews|comments)$")


def every_head_is_reviewed(record: Record) -> Iterator[str]:
    """The last head of every pull request, and each that a newer one did not replace."""
    ends = record.ends()
    for pull in record.pulls:
        last = pull.last.sha
        reviews = {event.review for event in record.feed if _is_of(event, pull) and event.head == last}
        if not any(end.type == "review.completed" for review in reviews for end in ends[review]):
            yield f"{pull.name}: no review of its last head {last[:8]} has completed"
        checks = [check for check in pull.checks if check.head == last]
        if not any(check.status == "completed" and check.conclusion != "cancelled" for check in checks):
            yield f"{pull.name}: no check run on its last head {last[:8]} tells of a review: {checks}"
    yield from _wrong_ends(record, ends)


def _wrong_ends(record: Record, ends: Mapping[str, list[Told]]) -> Iterator[str]:
    last = {(pull.repository, pull.number): pull.last.sha for pull in record.pulls}
    for review, told in ends.items():
        for end in told:
            if end.type == "review.failed":
                yield f"{end.repository}#{end.number}: review {review} of {str(end.head)[:8]} failed"
            elif end.type == "review.superseded" and last.get(_place(end)) == end.head:
                yield f"{end.repository}#{end.number}: review {review} of the last head was superseded"


def every_finding_stands_once(record: Record) -> Iterator[str]:
    """What is planted in the last head is said, and nothing is said twice, by plant or fingerprint."""
    for pull in record.pulls:
        said = Counter(plant for text in pull.standing for plant in text.plants)
        missing = sorted(pull.last.expected - said.keys())
        if missing:
            names = ", ".join(missing)
            yield f"{pull.name}: {len(missing)} of {len(pull.last.expected)} plants are not found: {names}"
        for plant in sorted(plant for plant, times in said.items() if times > 1):
            where = ", ".join(text.where for text in pull.standing if plant in text.plants)
            yield f"{pull.name}: PLANT-{plant} is said {said[plant]} times: {where}"
        marks = Counter(mark for text in pull.standing for mark in text.fingerprints)
        for mark in sorted(mark for mark, times in marks.items() if times > 1):
            where = ", ".join(text.where for text in pull.standing if mark in text.fingerprints)
            yield f"{pull.name}: the fingerprint {mark} stands {marks[mark]} times: {where}"


def github_refused_nothing(record: Record) -> Iterator[str]:
    """The sandbox itself answered no 422; those of the storm's it does not know of.

    A review that is on its way while somebody pushes can't help it.
    """
    by_place = {(pull.repository, str(pull.number)): pull for pull in record.pulls}
    for call in record.calls:
        if call.status != 422:
            continue
        found = _PUBLISHING.search(call.path)
        pull = by_place.get((found["repository"], found["number"])) if found else None
        place = None if pull is None else pull.place_of(call.body.get("commit_id"))
        newer = () if pull is None or place is None else pull.heads[place + 1 :]
        if not any(_within(call.acted_at or call.at, head.at, head.at, PUBLISHING_SECONDS) for head in newer):
            yield f"422 for {call.method} {call.path}"


def nothing_is_bought_twice(record: Record) -> Iterator[str]:
    """No chunk is asked for, and answered whole, that stood finished in the ledger before the request.

    A worker that has just woken from SIGSTOP is excused: it does not know yet.
    """
    finished: dict[str, float] = {}
    for stored in record.stored:
        finished[stored.chunk] = min(stored.at, finished.get(stored.chunk, stored.at))
    for asked in record.asked:
        known = [c for c in asked.chunks if c in finished and asked.at > finished[c] + LOOK_SECONDS]
        woken = any(
            pause.worker == asked.worker and _within(asked.at, pause.began, pause.ended, WAKING_SECONDS)
            for pause in record.pauses
        )
        if known and asked.whole and not woken:
            late = asked.at - finished[known[0]]
            yield f"chunk {known[0]} was bought by {asked.worker} {late:.1f} s after it stood in the ledger"


def every_check_run_ends(record: Record) -> Iterator[str]:
    """Nobody looks at a check run that goes on for ever."""
    for pull in record.pulls:
        for check in pull.checks:
            if check.status != "completed":
                yield f"{pull.name}: check run {check.id} on {check.head[:8]} is {check.status}"


def budgets_hold(record: Record) -> Iterator[str]:
    """No account was ever over its cap, and only what a dead process held is still set aside."""
    for peak in record.peaks:
        if peak.most_tokens is not None and peak.tokens > peak.most_tokens:
            yield f"{peak.account} held {peak.tokens:,} tokens of {peak.most_tokens:,}"
        if peak.most_micros is not None and peak.micros > peak.most_micros:
            yield f"{peak.account} held {peak.micros:,} millionths of a dollar of {peak.most_micros:,}"
    for balance in record.balances:
        if balance.reserved != balance.held:
            yield f"{balance.account} says {balance.reserved:,} tokens are set aside, calls {balance.held:,}"
    for held in record.held:
        if not _holder_died(record, held.at):
            yield f"{held.tokens:,} tokens are still set aside for review {held.review}, though nobody died"


def _holder_died(record: Record, at: float) -> bool:
    killed = (life for life in record.lives if life.killed and life.ended is not None)
    if any(life.began < at < (life.ended or at) < at + CALL_SECONDS for life in killed):
        return True
    # What can't be told to the database while it is away stays charged too
    return any(began - CALL_SECONDS < at < ended for began, ended in record.outages)


def nothing_old_is_published(record: Record) -> Iterator[str]:
    """No review or comment on a head appears after a newer one was taken."""
    taken = _taken(record)
    by_place = {(pull.repository, str(pull.number)): pull for pull in record.pulls}
    for call, repository, number in _publications(record):
        pull = by_place.get((repository, number))
        place = None if pull is None else pull.place_of(call.body.get("commit_id"))
        if pull is None or place is None:
            continue
        newer = [taken[head.sha] for head in pull.heads[place + 1 :] if head.sha in taken]
        if newer and call.at > min(newer) + PUBLISHING_SECONDS:
            late = call.at - min(newer)
            yield f"{pull.name}: head {place} was commented {late:.1f} s after a newer one was taken"


def _publications(record: Record) -> Iterator[tuple[Call, str, str]]:
    for call in record.calls:
        found = _PUBLISHING.search(call.path)
        if found and call.method == "POST" and call.status is not None and call.status < 300:
            yield call, found["repository"], found["number"]


def _taken(record: Record) -> Mapping[str, float]:
    """When each head was known: by its delivery, or by the first event of a review of it."""
    known: dict[str, float] = {}
    told = [(event.head, event.at) for event in record.feed if event.head is not None]
    for head, at in [*told, *((taken.head, taken.at) for taken in record.taken)]:
        known[head] = min(at, known.get(head, at))
    return known


def every_review_ends_once(record: Record) -> Iterator[str]:
    """One terminal event a review, and nothing of it after that in the feed."""
    over: dict[str, str] = {}
    for event in sorted(record.feed, key=lambda event: event.position):
        if event.review in over:
            yield f"review {event.review}: {event.type} after {over[event.review]}"
        if event.type in TERMINAL:
            over.setdefault(event.review, event.type)
    for review, told in record.ends().items():
        if not told:
            yield f"review {review} has no end"


def _is_of(event: Told, pull: PullRecord) -> bool:
    return (event.repository, event.number) == (pull.repository, pull.number)


def _place(event: Told) -> tuple[str, int]:
    return (event.repository, event.number or 0)


def _within(at: float, began: float, ended: float | None, after: float) -> bool:
    return at >= began and (ended is None or at <= ended + after)


INVARIANTS: Mapping[str, Callable[[Record], Iterator[str]]] = {
    "every wanted head is reviewed": every_head_is_reviewed,
    "every finding stands exactly once": every_finding_stands_once,
    "GitHub answered no 422": github_refused_nothing,
    "no finished chunk is bought twice": nothing_is_bought_twice,
    "every check run is terminal": every_check_run_ends,
    "budgets hold": budgets_hold,
    "nothing of an old head is published": nothing_old_is_published,
    "every review ends once": every_review_ends_once,
}
"""By what they say, in the order in which they are told."""


def broken(record: Record) -> dict[str, list[str]]:
    """What breaks each invariant; those that hold have nothing."""
    return {name: list(holds(record)) for name, holds in INVARIANTS.items()}
