"""The pull requests of a plan as real git repositories."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.plan import Pull, text_of
from tests.repositories import Repository


@dataclass(frozen=True, slots=True)
class History:
    """Folders by repository, and the commits of each pull request in the order of its heads."""

    folders: Mapping[str, Path]
    commits: Mapping[tuple[str, int], Sequence[str]]


def write(folder: Path, pulls: Iterable[Pull]) -> History:
    """Make a bare repository of each name, with `main` and a branch for each head."""
    by_name: dict[str, list[Pull]] = {}
    for pull in pulls:
        by_name.setdefault(pull.repository, []).append(pull)
    folders: dict[str, Path] = {}
    commits: dict[tuple[str, int], Sequence[str]] = {}
    for name, some in by_name.items():
        folders[name] = folder / name.replace("/", "_")
        repository = Repository(folders[name])
        repository.git("fast-import", "--quiet", text=b"".join(_stream(some)))
        listing = repository.git("for-each-ref", "--format=%(refname:short) %(objectname)").decode()
        shas = dict(line.split() for line in listing.splitlines())
        for pull in some:
            commits[name, pull.number] = [
                shas[_branch(pull.number, index)] for index in range(len(pull.heads))
            ]
    return History(folders, commits)


def _branch(number: int, index: int) -> str:
    return f"change-{number}-{index}"


def _stream(pulls: Sequence[Pull]) -> Iterator[bytes]:
    """The repository in the words of `git fast-import`."""
    base = {path: text_of(path) for pull in pulls for path in pull.paths[:1]}
    yield from _commit("main", None, base, "base")
    for pull in pulls:
        for index, head in enumerate(pull.heads):
            onto = "main" if head.forced or index == 0 else _branch(pull.number, index - 1)
            message = f"head {index} of {pull.number}"
            yield from _commit(_branch(pull.number, index), onto, dict(head.files()), message)


def _commit(branch: str, onto: str | None, files: Mapping[str, str], message: str) -> Iterator[bytes]:
    yield f"commit refs/heads/{branch}\ncommitter Test <test@example.com> 0 +0000\n".encode()
    yield b"data %d\n%s\n" % (len(message), message.encode())
    if onto is not None:
        yield f"from refs/heads/{onto}\n".encode()
    for path, text in files.items():
        yield f"M 100644 inline {path}\n".encode()
        yield b"data %d\n%s\n" % (len(text), text.encode())
