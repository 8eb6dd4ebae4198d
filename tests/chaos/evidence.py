"""A record of a storm, gathered from all who took part."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.chaos import books
from tests.chaos.people import People
from tests.chaos.plan import PLANT, Pull
from tests.chaos.postgres import Postgres
from tests.chaos.record import TERMINAL, Check, PullRecord, Pushed, Record, Said
from tests.chaos.scene import CAPS, Scene
from webhooks.sandbox import PullRequest

_GONE = "<!-- sluice:resolved -->"
_MARK = re.compile(r"<!-- sluice:finding:([0-9a-f]+) -->")
_LONGEST_TAKE_OVER = 60.0


@dataclass(frozen=True, slots=True)
class Sources:
    """Who took part."""

    scene: Scene
    people: People
    pulls: Sequence[Pull]
    postgres: Postgres | None


async def gather(sources: Sources) -> Record:
    """What is known now."""
    scene = sources.scene
    kept = await books.read(scene.database_url, CAPS)
    record = Record(
        pulls=[_pull(sources, pull, kept.plants) for pull in sources.pulls],
        feed=kept.feed,
        taken=kept.taken,
        calls=scene.gate.calls,
        asked=scene.model.asked,
        stored=kept.stored,
        peaks=kept.peaks,
        held=kept.held,
        balances=kept.balances,
        lives=[life for worker in scene.workers for life in worker.lives],
        pauses=[pause for worker in scene.workers for pause in worker.pauses],
        outages=sources.postgres.outages if sources.postgres else (),
        figures=kept.figures,
    )
    return replace(record, open_matters=list(open_matters(record)))


def open_matters(record: Record) -> Iterator[str]:
    """What may still come to its end; a review that has failed never will."""
    ends = record.ends()
    for review, told in ends.items():
        if not told:
            yield f"review {review} has no end"
    reviewed = {event.head for event in record.feed}
    for pull in record.pulls:
        if pull.last.sha not in reviewed:
            yield f"{pull.name}: nothing is known of its last head"
        for check in pull.checks:
            if check.status != "completed":
                yield f"{pull.name}: check run {check.id} is {check.status}"


def _pull(sources: Sources, pull: Pull, plants: Mapping[str, str]) -> PullRecord:
    owner, _, name = pull.repository.partition("/")
    repository = sources.scene.sandbox.state.find_repository(owner, name)
    assert repository is not None
    commits = sources.people.history.commits[pull.repository, pull.number]
    pushed = sources.people.pushed
    heads = tuple(
        Pushed(sha, head.expected, pushed.get(sha, 0.0))
        for sha, head in zip(commits, pull.heads, strict=True)
    )
    made = repository.pulls[pull.number]
    checks = tuple(
        Check(check.id, check.head_sha, check.status, check.conclusion)
        for check in repository.check_runs.values()
        if check.head_sha in commits
    )
    return PullRecord(pull.repository, pull.number, heads, tuple(said_on(made, plants)), checks)


def said_on(pull: PullRequest, plants: Mapping[str, str]) -> Iterator[Said]:
    """Everything that stands there under a bot's name, and that people can see."""
    visible = {review.id for review in pull.reviews.values() if review.state != "PENDING"}
    comments = [
        each
        for each in pull.comments.values()
        if each.review_id in visible or each.review_id not in pull.reviews
    ]
    texts: list[tuple[str, Any, str]] = [
        *((f"review {id_}", pull.reviews[id_].user, pull.reviews[id_].body) for id_ in visible),
        *((f"comment {each.id}", each.user, each.body) for each in comments),
        *((f"remark {each.id}", each.user, each.body) for each in pull.remarks.values()),
    ]
    for where, user, body in texts:
        if user.type == "Bot":
            marks = tuple(_MARK.findall(body))
            known = {plants[mark] for mark in marks if mark in plants}
            yield Said(where, frozenset(known or PLANT.findall(body)), marks, gone=_GONE in body)


def with_figures(sources: Sources, record: Record, *, rages: float, seconds: float) -> Record:
    """The record with the figures that the table shows."""
    scene, ends = sources.scene, Counter(event.type for event in record.feed)
    deliveries = scene.sandbox.state.deliveries
    starts = take_overs(record)
    figures: dict[str, object] = {
        "pull requests": len(record.pulls),
        "heads pushed": sum(len(pull.heads) for pull in record.pulls),
        "reviews": len(record.ends()),
        "reviews completed": ends["review.completed"],
        "reviews superseded": ends["review.superseded"],
        "reviews failed": ends["review.failed"],
        "runs begun": ends["review.started"],
        "findings expected on last heads": sum(len(pull.last.expected) for pull in record.pulls),
        "findings standing": sum(len(text.plants) for pull in record.pulls for text in pull.standing),
        "findings marked as gone": sum(text.gone for pull in record.pulls for text in pull.said),
        "kills": sum(life.killed for life in record.lives),
        "stops": len(record.pauses),
        "workers that ended of themselves": sum(life.fell for life in record.lives),
        "database restarts": len(record.outages),
        "deliveries": len(deliveries),
        "deliveries failed": sum(each.status != "OK" for each in deliveries),
        "redeliveries asked for": sum(each.redelivery for each in deliveries),
        "deliveries no worker answered": scene.front.refused,
        "calls to GitHub": len(record.calls),
        "requests to Claude": len(record.asked),
        "requests answered whole": sum(asked.whole for asked in record.asked),
        **record.figures,
        "take-overs": len(starts),
        "take-over, median (s)": _median(starts),
        "take-over, longest (s)": round(max(starts, default=0.0), 1),
        "storm (s)": round(rages, 1),
        "in all (s)": round(seconds, 1),
        **{trouble.value: count for trouble, count in sorted(scene.weather.came.items())},
    }
    return replace(record, figures=figures)


def take_overs(record: Record) -> list[float]:
    """Seconds from a kill or stop to the next run of each review that was under way then."""
    moments = [life.ended for life in record.lives if life.killed and life.ended is not None]
    moments += [pause.began for pause in record.pauses]
    by_review: dict[str, list[tuple[float, str]]] = {}
    for event in record.feed:
        by_review.setdefault(event.review, []).append((event.at, event.type))
    found: list[float] = []
    for moment in moments:
        for told in by_review.values():
            before = [type_ for at, type_ in told if at <= moment]
            begun = "review.started" in before and not TERMINAL & set(before)
            again = next((at for at, type_ in told if at > moment and type_ == "review.started"), None)
            if begun and again is not None and again - moment < _LONGEST_TAKE_OVER:
                found.append(again - moment)
    return found


def _median(values: Sequence[float]) -> float:
    return round(sorted(values)[len(values) // 2], 1) if values else 0.0
