"""Every operation, asked by every kind of caller."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import aiohttp
import pytest

from tests.openapi.access_table import OF_REVIEWS, OTHERS
from tests.openapi.callers import ACTS, SEES, Kind, Row, Shown, Subject, shown_by
from tests.scenarios.app import World, make_repository, world
from webhooks.access.tokens import Tokens
from webhooks.openapi.document import document
from webhooks.openapi.parts import EXAMPLE_DIFF

NOWHERE = "0" * 32
ACCOUNTS = {Subject.PULL_REQUEST: "northwind", Subject.OTHER_TENANTS: "contoso"}
NO_SUCH_REVIEW = {"error": "no such review"}


@dataclass(frozen=True)
class Asked:
    """An answer, as far as access shows in it."""

    status: int
    headers: Mapping[str, str]
    text: str


@dataclass(frozen=True)
class Scene:
    """A running app, its callers, and reviews that have ended, with how many chunks were bought for each."""

    app: World
    http: aiohttp.ClientSession
    callers: Mapping[Kind, Shown]
    reviews: Mapping[Subject, str]
    chunks: Mapping[Subject, int]
    asked: Iterator[int] = field(default_factory=count)

    async def ask(self, operation: Operation, row: Row, kind: Kind, review: str = NOWHERE) -> Asked:
        """One request, as a caller makes it."""
        number = next(self.asked)
        headers = {
            "Prefer": "respond-async",
            "Origin": self.app.url,
            "Content-Type": row.content_type,
            # Each request comes from an address of its own: wrong tokens are counted by address
            "X-Forwarded-For": f"198.51.{number // 250}.{number % 250}",
            **self.callers[kind],
        }
        url = f"{self.app.url}{operation.path.replace('{id}', review)}?{row.query}"
        asking = self.http.request(
            operation.method, url, headers=headers, data=row.body, allow_redirects=False
        )
        async with asking as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() != "date"}
            return Asked(answer.status, kept, await answer.text())


@dataclass(frozen=True)
class Operation:
    """A method on a path, and whether the description lets everybody in."""

    name: str
    method: str
    path: str
    open_to_all: bool

    @property
    def of_review(self) -> bool:
        """Whether it is about one review."""
        return "{id}" in self.path


def described(made: dict[str, Any]) -> list[Operation]:
    """The operations; reads first, so that no change is in their way, and leaving last."""
    found = [
        Operation(each["operationId"], method.upper(), path, not each["security"] or {} in each["security"])
        for path, methods in made["paths"].items()
        for method, each in methods.items()
    ]
    return sorted(found, key=lambda operation: (operation.method != "GET", operation.name == "logOut"))


OPERATIONS = described(document("0.0.0", None))
BY_NAME = {operation.name: operation for operation in OPERATIONS}


@pytest.fixture
async def scene(database_url, database, tmp_path) -> AsyncIterator[Scene]:
    folder = await make_repository(tmp_path / "repo")
    jar = aiohttp.DummyCookieJar()
    async with (
        world(database_url, tmp_path, sluice_requests_per_minute=0) as app,
        aiohttp.ClientSession(cookie_jar=jar) as http,
    ):
        repositories, reviews = {}, {}
        for subject, account in ACCOUNTS.items():
            made = app.sandbox.add_repository(f"{account}/calc", git_dir=folder, default_branch="main")
            await app.sandbox.open_pull_request(made, base="main", head="change", title=f"For {account}")
            repositories[subject], reviews[subject] = made, await app.newest_review()
        ours, theirs = repositories.values()
        callers = await shown_by(app, Tokens(database), ours, theirs)
        reviews[Subject.POSTED] = await posted(app, callers[Kind.POSTER])
        ends = {subject: await app.until_end(review) for subject, review in reviews.items()}
        chunks = {
            subject: sum(event.type == "chunk.completed" for event in events)
            for subject, events in ends.items()
        }
        yield Scene(app, http, callers, reviews, chunks)


async def posted(app: World, shown: Shown) -> str:
    """A review of a diff that somebody posts."""
    headers = {**shown, "Prefer": "respond-async"}
    async with app.http.post(f"{app.url}/reviews", data=EXAMPLE_DIFF, headers=headers) as answer:
        return (await answer.json())["review"]


def rows() -> Iterator[tuple[Operation, Subject | None, Row]]:
    """What is asked in turn; of the reviews one after the other."""
    for operation in OPERATIONS:
        if operation.of_review:
            for subject, table in OF_REVIEWS.items():
                yield operation, subject, table[operation.name]
        else:
            yield operation, None, OTHERS[operation.name]


def test_every_operation_has_a_row_with_every_kind_of_caller():
    of_reviews = {operation.name for operation in OPERATIONS if operation.of_review}

    assert set(OF_REVIEWS) == set(Subject)
    assert all(set(table) == of_reviews for table in OF_REVIEWS.values())
    assert set(OTHERS) == set(BY_NAME) - of_reviews
    assert {operation.name for operation, _, row in rows() if set(row.statuses) != set(Kind)} == set()


def test_nobody_is_let_in_without_showing_who_they_are_except_where_the_description_says_so():
    for operation, _, row in rows():
        refused = row.statuses[Kind.NOBODY] == 401
        assert refused is not operation.open_to_all or operation.name == "receiveDelivery", operation


async def test_every_operation_answers_every_kind_of_caller_as_the_table_says_and_hides_what_they_do_not_see(
    scene,
):
    wrong: list[str] = []
    for operation, subject, row in rows():
        for kind in Kind:
            wrong += [
                f"{operation.name} of {subject and subject.name} by {kind.name}: {each}"
                for each in await faults(scene, operation, row, kind, subject)
            ]

    assert not wrong, "\n".join(wrong)


async def faults(
    scene: Scene, operation: Operation, row: Row, kind: Kind, subject: Subject | None
) -> list[str]:
    """What is wrong with the answer that one kind of caller gets."""
    review = NOWHERE if subject is None else scene.reviews[subject]
    answer, wanted = await scene.ask(operation, row, kind, review), row.statuses[kind]
    if answer.status != wanted:
        return [f"{answer.status}, not {wanted}: {answer.text[:100]}"]
    found = [
        f"names {account}"
        for each, account in ACCOUNTS.items()
        if kind not in SEES[each] and account in answer.text
    ]
    if subject is not None and wanted == 404:
        missing = await scene.ask(operation, row, kind)
        if answer != missing:
            found.append(f"tells {answer.text[:100]}, and of what does not exist {missing.text[:100]}")
        if operation.name != "showReview" and json.loads(missing.text) != NO_SUCH_REVIEW:
            found.append(f"says {missing.text[:100]}")
    if wanted == 200:
        told, right = told_and_right(scene, operation, kind, subject, answer.text)
        found += [] if told == right else [f"tells {told}, not {right}"]
    return found


def told_and_right(
    scene: Scene, operation: Operation, kind: Kind, subject: Subject | None, text: str
) -> tuple[object, object]:
    """What an answer tells of reviews, and what it should tell this caller."""
    seen = {each for each, kinds in SEES.items() if kind in kinds}
    match operation.name:
        case "listReviews" | "streamEvents":
            return {each for each, id_ in scene.reviews.items() if id_ in text}, seen
        case "getUsage":
            days = json.loads(text)["chunks"]
            return sum(day["bought"] for day in days), sum(scene.chunks[each] for each in seen)
        case "getReview" if subject is not None:
            return json.loads(text)["may_act"], kind in ACTS[subject] | {Kind.COOKIE_WITHOUT_CSRF}
        case _:
            return None, None
