"""What pull requests change, read from git once."""

from __future__ import annotations

from webhooks.sandbox import git
from webhooks.sandbox.git import Diff, GitFailed
from webhooks.sandbox.state import PullRequest, Repository


async def read_diff(repository: Repository, pull: PullRequest) -> Diff:
    """What a pull request changes."""
    return await read_range(repository, pull.base_sha, pull.head_sha)


async def read_range(repository: Repository, base: str, head: str) -> Diff:
    """What `base...head` changes, read once for each pair of commits."""
    key = (base, head)
    if key not in repository.diffs:
        repository.diffs[key] = await git.read_diff(repository.git_dir, *key)
    return repository.diffs[key]


async def read_commit(repository: Repository, ref: str) -> str:
    """The full hash of a commit.

    Raises:
        GitFailed: git does not know it.
    """
    found = await git.find_commit(repository.git_dir, ref)
    if found is None:
        raise GitFailed(f"{repository.full_name} has no commit {ref!r}")
    return found
