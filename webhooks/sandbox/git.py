"""Reads a real git repository through the `git` command: diffs, file lists, blobs, packs.

Bytes throughout: paths and contents need not be UTF-8. The user's and the machine's git configuration is
switched off, and every setting a repository could use to change diff output is pinned, so the text is what
GitHub would serve.
"""

import asyncio
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Status = Literal["added", "removed", "modified", "renamed", "copied", "changed"]

_PINNED = (
    "core.quotePath=true",
    "core.fsmonitor=false",
    "core.attributesFile=" + os.devnull,
    "diff.noprefix=false",
    "diff.mnemonicPrefix=false",
    "diff.algorithm=default",
    "diff.context=3",
    "diff.interHunkContext=0",
    "diff.indentHeuristic=true",
    "diff.suppressBlankEmpty=false",
    "diff.renames=true",
    "diff.renameLimit=1000",
    "diff.submodule=short",
    "diff.ignoreSubmodules=none",
    "diff.relative=false",
    "safe.directory=*",
)
_DIFF = ("diff", "--no-color", "--no-ext-diff", "--no-textconv", "-M", "--src-prefix=a/", "--dst-prefix=b/")
_STATUS: dict[str, Status] = {
    "A": "added",
    "D": "removed",
    "M": "modified",
    "R": "renamed",
    "C": "copied",
    "T": "changed",
}
_SHA = re.compile(r"[0-9a-f]{40}")
# GitHub hands out any commit it has by its hash, and packs without blobs: https://git-scm.com/docs/git-config
_FETCHED = ("-c", "uploadpack.allowAnySHA1InWant=true", "-c", "uploadpack.allowFilter=true")


class GitFailed(Exception):
    """Git ended with an error; the message holds what it said."""


@dataclass(frozen=True, slots=True)
class FileChange:
    """One changed file. `hunks` starts at the first `@@` and is empty for binaries, pure renames, modes."""

    path: str
    previous_path: str | None
    status: Status
    sha: str
    additions: int
    deletions: int
    hunks: bytes


@dataclass(frozen=True, slots=True)
class Diff:
    """A three-dot diff: the bytes git printed, and the same by file in the same order."""

    raw: bytes
    files: tuple[FileChange, ...]


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """A name in a tree; `kind` is blob, tree or commit (submodule), `mode` as in git (`120000`: symlink)."""

    mode: str
    kind: str
    sha: str
    size: int
    name: str


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit; times are RFC 3339 with the offset of its writer."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: tuple[str, str, str]
    """Name, address, time."""
    committer: tuple[str, str, str]
    message: str


def locate(folder: Path) -> Path:
    """The git directory of a checkout, a linked worktree or a bare repository."""
    dot = folder / ".git"
    if dot.is_dir():
        return dot.resolve()
    if dot.is_file():
        return (folder / dot.read_text().removeprefix("gitdir:").strip()).resolve()
    return folder.resolve()


async def run(git_dir: Path, *arguments: str) -> bytes:
    """What `git` prints. Raises GitFailed."""
    status, output, complaint = await _call(git_dir, arguments)
    if status:
        raise GitFailed(f"git {arguments[0]}: {complaint}")
    return output


async def upload_pack(git_dir: Path, request: bytes | None, *, protocol: str) -> bytes:
    """What git's server says to one request over HTTP, refusals too; None asks for its advertisement.

    `protocol` is the client's `Git-Protocol` header. Raises GitFailed when it says nothing at all.
    """
    words = ["--advertise-refs"] if request is None else []
    arguments = (*_FETCHED, "upload-pack", "--stateless-rpc", *words, str(git_dir))
    _, output, complaint = await _call(git_dir, arguments, request=request or b"", protocol=protocol)
    if not output and complaint:
        raise GitFailed(f"git upload-pack: {complaint}")
    return output


async def _call(
    git_dir: Path, arguments: tuple[str, ...], *, request: bytes = b"", protocol: str = ""
) -> tuple[int, bytes, str]:
    """Status, output and complaint of `git`, fed with `request`."""
    if any("\0" in argument for argument in arguments):
        raise GitFailed("an argument holds a NUL byte")
    settings = [part for setting in _PINNED for part in ("-c", setting)]
    process = await asyncio.create_subprocess_exec(
        shutil.which("git") or "git",
        f"--git-dir={git_dir}",
        *settings,
        *arguments,
        # Inside the git directory no checked-out .gitattributes can reach the diff.
        cwd=git_dir,
        env={
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_LITERAL_PATHSPECS": "1",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_PROTOCOL": protocol,
            "LC_ALL": "C",
        },
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, complaint = await process.communicate(request)
    return process.returncode or 0, output, complaint.decode(errors="replace").strip()


async def find_commit(git_dir: Path, ref: str) -> str | None:
    """The full hash of the commit a ref or hash names, or None."""
    try:
        found = await run(git_dir, "rev-parse", "--verify", "--quiet", "--end-of-options", ref + "^{commit}")
    except GitFailed:
        return None
    return found.decode().strip()


async def find_branch(git_dir: Path, ref: str) -> str | None:
    """The short name of the branch a ref names, or None when it names a commit in another way."""
    try:
        found = await run(git_dir, "rev-parse", "--verify", "--quiet", "--symbolic-full-name", ref)
    except GitFailed:
        return None
    name = found.decode(errors="replace").strip()
    return name.removeprefix("refs/heads/") if name.startswith("refs/heads/") else None


async def list_commits(git_dir: Path, base: str, head: str) -> tuple[str, ...]:
    """The commits of head that base lacks, newest first."""
    return tuple((await run(git_dir, "rev-list", f"{base}..{head}", "--")).decode().split())


async def find_merge_base(git_dir: Path, base: str, head: str) -> str | None:
    """The newest commit that both have among their ancestors, or None."""
    try:
        return (await run(git_dir, "merge-base", base, head)).decode().strip()
    except GitFailed:
        return None


async def read_commits(git_dir: Path, shas: Sequence[str]) -> list[Commit]:
    """The commits of these hashes, in their order."""
    if not shas:
        return []
    form = "--format=%H%x00%T%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B%x00"
    fields = (await run(git_dir, "log", "--no-walk=unsorted", form, *shas, "--")).decode(errors="replace")
    parts = iter(fields.split("\0")[:-1])
    # git names each commit once, however often it was asked for, and puts a newline of its own between two
    found = [
        Commit(
            sha=sha.strip(),
            tree=next(parts),
            parents=tuple(next(parts).split()),
            author=(next(parts), next(parts), next(parts)),
            committer=(next(parts), next(parts), next(parts)),
            message=next(parts).rstrip("\n"),
        )
        for sha in parts
    ]
    by_sha = {commit.sha: commit for commit in found}
    return [by_sha[sha] for sha in shas]


async def read_diff(git_dir: Path, base: str, head: str) -> Diff:
    """What head changed since it left base (`base...head`). Raises GitFailed without a common ancestor."""
    span = f"{base}...{head}"
    names = await run(git_dir, *_DIFF, "--raw", "--numstat", "--no-abbrev", "-z", span, "--")
    raw = await run(git_dir, *_DIFF, "-U3", span, "--")
    return Diff(raw, _join_files(names, raw))


async def read_shifts(git_dir: Path, old: str, new: str, path: str) -> bytes:
    """The context-free diff of one path between two commits, for following a line across a push."""
    return await run(git_dir, *_DIFF, "--no-renames", "-U0", old, new, "--", path)


async def read_entry(git_dir: Path, commit: str, path: str) -> TreeEntry | None:
    """What stands at a path of a commit, or None."""
    try:
        entries = _parse_tree(await run(git_dir, "ls-tree", "-z", "-l", "--full-tree", commit, "--", path))
    except GitFailed:
        return None
    return entries[0] if len(entries) == 1 else None


async def read_blob(git_dir: Path, sha: str) -> bytes | None:
    """The bytes of a blob, or None when there is no such blob."""
    if not _SHA.fullmatch(sha):
        return None
    try:
        return await run(git_dir, "cat-file", "blob", sha)
    except GitFailed:
        return None


def _parse_tree(listing: bytes) -> list[TreeEntry]:
    entries: list[TreeEntry] = []
    for record in listing.split(b"\0")[:-1]:
        facts, _, name = record.partition(b"\t")
        mode, kind, sha, size = facts.decode().split()
        text = name.decode(errors="replace").rpartition("/")[2]
        entries.append(TreeEntry(mode, kind, sha, 0 if size == "-" else int(size), text))
    return entries


def _join_files(names: bytes, raw: bytes) -> tuple[FileChange, ...]:
    """Pair git's list of names and counts (NUL-separated, unquoted) with the patch of each file."""
    fields = iter(names.split(b"\0")[:-1])
    heads: list[tuple[str, str, bytes, bytes | None]] = []
    counts: list[tuple[bytes, bytes]] = []
    for first in fields:
        if first.startswith(b":"):
            _, _, old_sha, new_sha, letter = first.decode().split(" ")
            old = next(fields)
            new = next(fields) if letter[0] in "RC" else None
            heads.append((letter[0], old_sha if letter == "D" else new_sha, new or old, old if new else None))
        else:
            added, deleted, path = first.split(b"\t", 2)
            if not path:  # a rename: both names follow in fields of their own
                next(fields)
                next(fields)
            counts.append((added, deleted))
    # Content lines start with a blank, `+`, `-` or `\`, so only headers can start with `diff --git`.
    blocks = iter(re.split(rb"(?m)^(?=diff --git )", raw)[1:])
    files: list[FileChange] = []
    for (letter, sha, path, previous), (added, deleted) in zip(heads, counts, strict=True):
        hunks = _cut_hunks(next(blocks))
        if letter == "T":  # a type change (file to symlink) is printed as a removal and an addition
            hunks += _cut_hunks(next(blocks))
        files.append(
            FileChange(
                path=path.decode(errors="replace"),
                previous_path=None if previous is None else previous.decode(errors="replace"),
                status=_STATUS[letter],
                sha=sha,
                additions=0 if added == b"-" else int(added),
                deletions=0 if deleted == b"-" else int(deleted),
                hunks=hunks,
            )
        )
    return tuple(files)


def _cut_hunks(block: bytes) -> bytes:
    _, mark, rest = block.partition(b"\n@@ ")
    return b"@@ " + rest if mark else b""
