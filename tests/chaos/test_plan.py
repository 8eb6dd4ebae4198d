"""A plan keeps its promise: the scripted model finds in each head exactly what is planted there."""

from __future__ import annotations

import pytest

from reviewer.core import diff
from reviewer.core.batches import Batch
from reviewer.core.chunks import Measure, split
from reviewer.core.prompt import build
from tests.chaos import history
from tests.chaos.model import Model, chunk_named, shown_in
from tests.chaos.plan import Sizes, make
from tests.chaos.weather import Trouble, Weather
from tests.fakes.work import ROUTE
from tests.repositories import Repository

SIZES = Sizes(installations=2, repositories=2, pulls=8, pushes=(2, 4), seconds=30)
"""Enough for bursts, forced pushes and reverted code to be among them."""


@pytest.fixture(scope="module")
def pulls():
    return make(7, SIZES)


def test_the_same_seed_gives_the_same_plan():
    assert make(7, SIZES) == make(7, SIZES)
    assert make(7, SIZES) != make(8, SIZES)


def test_a_plan_has_all_that_makes_a_storm(pulls):
    heads = [head for pull in pulls for head in pull.heads]

    assert any(head.forced for head in heads)
    assert any(a.at == b.at for pull in pulls for a, b in zip(pull.heads, pull.heads[1:], strict=False))
    assert any(
        b.plants == pull.heads[index].plants
        for pull in pulls
        for place, b in enumerate(pull.heads)
        for index in range(place - 1)
    )
    assert len({pull.repository.partition("/")[0] for pull in pulls}) == SIZES.installations


def test_the_model_finds_what_is_planted_and_nothing_else(pulls, tmp_path):
    written = history.write(tmp_path, pulls)
    for pull in pulls:
        repository = Repository(written.folders[pull.repository])
        for head, commit in zip(pull.heads, written.commits[pull.repository, pull.number], strict=True):
            found = [*_found(repository, commit)]
            assert sorted(found) == sorted(head.expected), (pull.repository, pull.number)


def test_a_chunk_that_only_moved_is_the_same_chunk():
    request = {"messages": [{"role": "user", "content": _block("@@ -1,2 +1,3 @@\nR2     +x = 1  # PLANT-a")}]}
    moved = {"messages": [{"role": "user", "content": _block("@@ -9,2 +11,3 @@\nR12    +x = 1  # PLANT-a")}]}

    [first], [second] = shown_in(request), shown_in(moved)
    [finding] = second.findings()

    assert first.id == second.id
    assert (finding["line"], finding["quote"]) == (12, "x = 1  # PLANT-a")
    assert chunk_named(finding["message"]) == second.id


def test_no_trouble_comes_when_it_is_calm():
    weather = Weather(1)
    assert any(weather.claude() for _ in range(200))

    weather.calm()
    came = dict(weather.came)

    assert not any(weather.claude() or weather.delivery() for _ in range(200))
    assert not any(weather.github(listing=True) for _ in range(200))
    assert dict(weather.came) == came


def test_in_a_short_storm_everything_that_may_come_comes_once():
    kinds = {*Trouble} - {Trouble.DISGUISED}
    weather = Weather(1, dict.fromkeys(kinds, 0.0), eager=0.05)
    for _ in range(400):
        weather.claude()
        weather.delivery()
        weather.github(listing=True)

    assert {*weather.came} == kinds
    assert {*weather.came.values()} == {1}


def test_an_answer_is_whole_when_all_was_said():
    model = Model(Weather(1, {}))
    answer = model.answer("east", {"messages": [{"role": "user", "content": _block("R1     +x  # PLANT-a")}]})

    [asked] = model.asked
    assert not asked.whole
    answer.ended_at = 1.0
    assert asked.whole


def _block(text):
    fence = "0123456789abcdef"
    return f'<diff-{fence} path="a.py" change="added" part="1 of 1">\n{text}\n</diff-{fence}>\n'


def _found(repository, commit):
    """The plants that the model reports of a commit, shown as the reviewer shows it."""
    text = repository.git("diff", "-M", f"main...{commit}").decode()
    for file in diff.parse(text).files:
        for chunk in split(file, Measure(9_000)):
            request = {"messages": [{"role": "user", "content": build(Batch("b", (chunk,), ROUTE)).user}]}
            for shown in shown_in(request):
                for finding in shown.findings():
                    assert finding["quote"] in text
                    yield finding["title"].split()[0].removeprefix("PLANT-")
