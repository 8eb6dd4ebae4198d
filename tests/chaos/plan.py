"""What people will do in a storm, from a seed: pull requests, their pushes, and what is planted in each head.

A plant is an added line with `PLANT-<id>` in it, amid lines of its own, for which the scripted model always
has one finding. So the findings of every head are known before anything runs. Pure.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

PLANT = re.compile(r"\bPLANT-(\w+)")

_FILES = 3
_FIRST_PLANTS = (2, 5)
_CHANCE_OF_BURST = 0.3
_CHANCE_OF_FORCE = 0.25
_CHANCE_OF_REVERT = 0.2
_CHANCE_OF_SHIFT = 0.3
_KEPT_LINES = 14


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much happens.

    Attributes:
        pushes: the fewest and the most after a pull request was opened.
        seconds: within which all of it happens.
    """

    installations: int
    repositories: int
    pulls: int
    pushes: tuple[int, int]
    seconds: float


@dataclass(frozen=True, slots=True)
class Head:
    """What a branch holds after a push.

    Attributes:
        at: seconds since the beginning.
        forced: it is put onto the base anew, not onto the head before.
        plants: by path, in the order of their lines.
        shifted: by path, lines put in at the top, so that all else moves.
    """

    at: float
    forced: bool
    plants: Mapping[str, tuple[str, ...]]
    shifted: Mapping[str, int] = field(default_factory=dict[str, int])

    @property
    def expected(self) -> frozenset[str]:
        """The plants that must be found in it."""
        return frozenset(plant for plants in self.plants.values() for plant in plants)

    def files(self) -> Iterator[tuple[str, str]]:
        """Path and text of each file that it has and the base may have."""
        for path in self.plants:
            yield path, text_of(path, self.plants[path], self.shifted.get(path, 0))


@dataclass(frozen=True, slots=True)
class Pull:
    """A pull request, with all heads it will ever have; `number` is the one GitHub will give it."""

    repository: str
    number: int
    heads: tuple[Head, ...]

    @property
    def paths(self) -> Sequence[str]:
        """The files that it touches, and no other pull request does."""
        return tuple(self.heads[0].plants)


def make(seed: int, sizes: Sizes) -> tuple[Pull, ...]:
    """The pull requests of a seed; the numbers in a repository are in the order of their opening."""
    dice = random.Random(seed)
    opened = sorted(dice.uniform(0, sizes.seconds * 0.4) for _ in range(sizes.pulls))
    names = [
        f"org{owner}/shop{name}"
        for owner in range(1, sizes.installations + 1)
        for name in range(1, sizes.repositories + 1)
    ]
    dice.shuffle(names)
    counts: dict[str, int] = {}
    pulls: list[Pull] = []
    for index, at in enumerate(opened):
        repository = names[index % len(names)]
        counts[repository] = counts.get(repository, 0) + 1
        heads = _heads(dice, f"{repository.replace('/', '_')}_{counts[repository]}", index, at, sizes)
        pulls.append(Pull(repository, counts[repository], heads))
    return tuple(pulls)


def _heads(dice: random.Random, stem: str, index: int, opened: float, sizes: Sizes) -> tuple[Head, ...]:
    fresh = (f"{index}x{count}" for count in range(1_000))
    paths = [f"src/{stem}_{number}.py" for number in range(dice.randint(1, _FILES))]
    plants = {path: tuple(next(fresh) for _ in range(dice.randint(*_FIRST_PLANTS))) for path in paths}
    heads = [Head(opened, forced=False, plants=plants)]
    pushes = dice.randint(*sizes.pushes)
    times = sorted(dice.uniform(opened, sizes.seconds) for _ in range(pushes))
    for at in times:
        burst = len(heads) > 1 and dice.random() < _CHANCE_OF_BURST
        heads.append(_next(dice, heads, heads[-1].at if burst else at, fresh))
    return tuple(heads)


def _next(dice: random.Random, heads: Sequence[Head], at: float, fresh: Iterator[str]) -> Head:
    """A head that follows: some plants more, one less perhaps, or all as it was once."""
    last, forced = heads[-1], dice.random() < _CHANCE_OF_FORCE
    if len(heads) > 1 and dice.random() < _CHANCE_OF_REVERT:
        older = dice.choice(heads[:-1])
        return Head(at, forced=forced, plants=older.plants, shifted=older.shifted)
    path = dice.choice(list(last.plants))
    changed = list(last.plants[path])
    if len(last.expected) > 2 and changed and dice.random() < 0.5:
        changed.remove(dice.choice(changed))
    changed.insert(dice.randint(0, len(changed)), next(fresh))
    shifted = dict(last.shifted)
    if dice.random() < _CHANCE_OF_SHIFT:
        shifted[path] = shifted.get(path, 0) + 2
    return Head(at, forced=forced, plants={**last.plants, path: tuple(changed)}, shifted=shifted)


def text_of(path: str, plants: Iterable[str] = (), shifted: int = 0) -> str:
    """A file with plants in its middle; with none, as it stands in the base."""
    top = [f"# moved down, {number}" for number in range(shifted)]
    above = [f"above_{number} = {number}  # of {path}" for number in range(_KEPT_LINES)]
    below = [f"below_{number} = {number}  # of {path}" for number in range(_KEPT_LINES)]
    planted = [row for plant in plants for row in _rows(plant)]
    return "\n".join([*top, *above, "", "", *planted, *below]) + "\n"


def _rows(plant: str) -> list[str]:
    return [
        f"def mean_{plant}(values):",
        f"    total = sum(values)  # for {plant}",
        f"    return total / len(values)  # PLANT-{plant}",
        f"    # end of {plant}",
        "",
        "",
    ]
