"""Chunks to batches: small ones travel together, a test beside its source and a folder's files first."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from reviewer.core.chunks import Chunk


@dataclass(frozen=True, slots=True)
class Batch:
    """The chunks sent in one call."""

    id: str
    chunks: tuple[Chunk, ...]

    @property
    def tokens(self) -> int:
        """Estimate of all its chunks."""
        return sum(chunk.tokens for chunk in self.chunks)


def gather(chunks: Sequence[Chunk], *, target: int) -> tuple[Batch, ...]:
    """Let chunks travel together up to `target` tokens; with 0 each travels alone.

    Chunks are taken in the diff's order, but for two pulls: a test goes to its source, and both to what lies
    in the same folder. A source and its tests are not torn apart if one batch can hold them.
    """
    if target <= 0:
        return _numbered((chunk,) for chunk in chunks)
    return _numbered(_packed(_by_folder(_related(chunks)), target))


def _numbered(groups: Iterable[tuple[Chunk, ...]]) -> tuple[Batch, ...]:
    return tuple(Batch(f"b{number}", group) for number, group in enumerate(groups, start=1))


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
