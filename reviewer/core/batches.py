"""Chunks to batches: small ones travel together, a test beside its source and a folder's files first."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, takewhile
from typing import NamedTuple

from reviewer.core.chunks import Chunk, Measure, halves_of, middle
from reviewer.core.kinds import Kind, kind_of
from reviewer.core.routing import Route


@dataclass(frozen=True, slots=True)
class Batch:
    """The chunks sent in one call, and where to."""

    id: str
    chunks: tuple[Chunk, ...]
    route: Route

    @property
    def tokens(self) -> int:
        """Estimate of all its chunks."""
        return sum(chunk.tokens for chunk in self.chunks)


def gather(chunks: Sequence[Chunk], *, target: int, route: Callable[[Chunk], Route]) -> tuple[Batch, ...]:
    """Let chunks of one model travel together up to `target` tokens; with 0 each travels alone.

    Chunks are taken in the diff's order, but for two pulls: a test goes to its source, and both to what lies
    in the same folder. A source and its tests are not torn apart if one batch can hold them. The batches come
    with the most important first, since the money for a review may not last to its end.

    Args:
        chunks: in the diff's order.
        target: tokens of a batch.
        route: where a chunk goes.
    """
    by_model: defaultdict[str, list[_Routed]] = defaultdict(list)
    for place, chunk in enumerate(chunks):
        routed = _Routed(chunk, route(chunk), importance(chunk), place)
        by_model[routed.route.model].append(routed)
    groups = [group for found in by_model.values() for group in _grouped(found, target)]
    groups.sort(
        key=lambda group: (-max(each.importance for each in group), min(each.place for each in group))
    )
    return tuple(
        Batch(f"b{number}", tuple(each.chunk for each in group), _common([each.route for each in group]))
        for number, group in enumerate(groups, start=1)
    )


def importance(chunk: Chunk) -> int:
    """More for what is worse to miss: security and code, then tests, configuration, documentation.

    Of two of a kind, the one with ten times the changed lines is more important.
    """
    kind = kind_of(chunk)
    rank = _RANKS[kind]
    if kind in {Kind.CODE, Kind.SECURITY} and _is_test(chunk.path):
        rank = _RANK_OF_TESTS
    return 10 * rank + min(len(str(chunk.changed_lines)), 9)


_RANKS = {Kind.SECURITY: 4, Kind.CODE: 3, Kind.POWER: 3, Kind.SETTINGS: 1, Kind.DOCUMENTATION: 0}
_RANK_OF_TESTS = 2
_TEST_FOLDERS = frozenset(("test", "tests", "spec", "specs", "__tests__", "e2e", "testdata", "fixtures"))


def _is_test(path: str) -> bool:
    return _tested_stem(path) is not None or not _TEST_FOLDERS.isdisjoint(_folder(path).lower().split("/"))


def halve(batch: Batch, measure: Measure) -> tuple[Batch, Batch] | None:
    """Two batches in place of one whose call did not fit.

    Several chunks go apart into groups of about as many tokens, those of a path together if the batch holds
    other paths too. A chunk alone is cut in two, which both have its id.

    Args:
        batch: what did not fit.
        measure: how the tokens of halved chunks are estimated.

    Returns:
        None if there is only one changed line left.
    """
    chunks = batch.chunks
    if len(chunks) > 1:
        cut = middle([chunk.tokens for chunk in chunks], _between_paths(chunks))
        halves = (chunks[:cut], chunks[cut:])
    elif chunks and (found := halves_of(chunks[0], measure)):
        halves = (found[:1], found[1:])
    else:
        return None
    first, second = halves
    return Batch(f"{batch.id}.1", first, batch.route), Batch(f"{batch.id}.2", second, batch.route)


def _between_paths(chunks: Sequence[Chunk]) -> Container[int] | None:
    """Where a cut leaves the chunks of every path together; None where no cut does."""
    last = {chunk.path: at for at, chunk in enumerate(chunks)}
    reach = accumulate((last[chunk.path] for chunk in chunks), max)
    return {at + 1 for at, end in enumerate(reach) if end == at < len(chunks) - 1} or None


class _Routed(NamedTuple):
    """A chunk on its way into a batch; `place` is the one in the diff."""

    chunk: Chunk
    route: Route
    importance: int
    place: int


def _grouped(routed: Sequence[_Routed], target: int) -> Iterator[list[_Routed]]:
    if target <= 0:
        yield from ([each] for each in routed)
        return
    # To find a chunk again by what it holds would mean to read all of it
    known = {id(each.chunk): each for each in routed}
    for group in _packed(_by_folder(_related([each.chunk for each in routed])), target):
        yield [known[id(chunk)] for chunk in group]


def _common(routes: Sequence[Route]) -> Route:
    """One route for chunks of one model, whose reason names theirs."""
    *others, last = dict.fromkeys(route.reason for route in routes)
    return Route(routes[0].model, f"{', '.join(others)} and {last}" if others else last)


def _packed(clusters: Iterable[list[Chunk]], target: int) -> Iterator[tuple[Chunk, ...]]:
    waiting: list[Chunk] = []
    used = 0
    for cluster in clusters:
        whole = sum(chunk.tokens for chunk in cluster)
        for number, chunk in enumerate(cluster):
            wanted = whole if number == 0 and whole <= target else chunk.tokens
            if waiting and used + wanted > target:
                yield tuple(waiting)
                waiting, used = [], 0
            waiting.append(chunk)
            used += chunk.tokens
    if waiting:
        yield tuple(waiting)


def _by_folder(clusters: Iterable[list[Chunk]]) -> Iterator[list[Chunk]]:
    """Clusters of the same folder side by side, folders in the order of their first file."""
    folders: defaultdict[str, list[list[Chunk]]] = defaultdict(list)
    for cluster in clusters:
        folders[_folder(cluster[0].path)].append(cluster)
    for found in folders.values():
        yield from found


def _related(chunks: Sequence[Chunk]) -> list[list[Chunk]]:
    """Each source's chunks with those of its tests; a test without its source is a cluster of its own."""
    by_path: dict[str, list[Chunk]] = {}
    for chunk in chunks:
        by_path.setdefault(chunk.path, []).append(chunk)
    sources: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    near: defaultdict[tuple[str, str, str], list[str]] = defaultdict(list)
    for path in by_path:
        if _tested_stem(path) is None:
            sources[_stem(path), _language(path)].append(path)
            near[_stem(path), _language(path), _folder(path)].append(path)
    clusters: dict[str, list[Chunk]] = {}
    for path, found in by_path.items():
        clusters.setdefault(_home(path, sources, near), []).extend(found)
    return [
        sorted(cluster, key=lambda chunk: _tested_stem(chunk.path) is not None)
        for cluster in clusters.values()
    ]


_MOST_NAMESAKES = 50  # where every folder has its `index.js`, the folder alone is relation enough


def _home(
    path: str, sources: dict[tuple[str, str], list[str]], near: dict[tuple[str, str, str], list[str]]
) -> str:
    """The source that a test is of, the nearest of several with its name; else the file itself."""
    tested = _tested_stem(path)
    candidates = sources.get((tested, _language(path)), []) if tested is not None else []
    if len(candidates) > _MOST_NAMESAKES:
        candidates = near.get((tested or "", _language(path), _folder(path)), [])
    return max(candidates, key=lambda source: _shared_folders(source, path), default=path)


_TEST = re.compile(
    r"^(?:tests?[_-](?P<after>.+)|(?P<before>.+?)(?:[_.-](?:tests?|spec)|(?<=[a-z0-9])(?:Tests?|Spec|IT)))$"
)
_LANGUAGES = {
    **dict.fromkeys(("ts", "tsx", "js", "jsx", "mjs", "cjs", "mts", "cts", "vue", "svelte"), "js"),
    **dict.fromkeys(("c", "h", "cc", "cpp", "cxx", "hh", "hpp", "hxx"), "c"),
    **dict.fromkeys(("kt", "java", "scala", "groovy"), "jvm"),
}


def _name(path: str) -> tuple[str, str]:
    """A file's name without and its extension."""
    name, _, extension = path.rpartition("/")[2].rpartition(".")
    return (name, extension) if name else (extension, "")


def _stem(path: str) -> str:
    return _name(path)[0].lower()


def _language(path: str) -> str:
    extension = _name(path)[1]
    return _LANGUAGES.get(extension, extension)


def _tested_stem(path: str) -> str | None:
    """The name of what a test tests, by the customs of its language; None if the file is no test."""
    match = _TEST.match(_name(path)[0])
    return (match["after"] or match["before"]).lower() if match else None


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _shared_folders(one: str, other: str) -> int:
    """Folders that two paths share, counted from both ends: tests often mirror the tree of the sources."""
    first, second = _folder(one).split("/"), _folder(other).split("/")
    pairs = (zip(first, second, strict=False), zip(reversed(first), reversed(second), strict=False))
    return sum(1 for pair in pairs for _ in takewhile(lambda names: names[0] == names[1], pair))
