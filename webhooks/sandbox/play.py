"""The sandbox as a person uses it: add a repository, open a pull request, push to it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from webhooks.sandbox import anchors, git
from webhooks.sandbox.deliveries import deliver, pull_request_payload
from webhooks.sandbox.git import GitFailed
from webhooks.sandbox.state import (
    DEFAULT_PERMISSIONS,
    CheckRun,
    DeliveryRecord,
    Installation,
    PullRequest,
    Repository,
    State,
)


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A GitHub with one app on it."""

    state: State

    @classmethod
    def create(cls, *, webhook_secret: str, webhook_url: str | None) -> Self:
        """A GitHub without repositories, and a new key for its app."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return cls(
            State(
                app_id=1,
                client_id="Iv23sandbox",
                slug="sluice",
                private_key_pem=private.decode(),
                public_key_pem=public.decode(),
                webhook_secret=webhook_secret,
                webhook_url=webhook_url,
            )
        )

    def add_repository(
        self, full_name: str, *, git_dir: Path, default_branch: str, private: bool = True
    ) -> Repository:
        """Make a repository of a git folder, with the app installed on its owner's account."""
        state = self.state
        owner = state.find_user(full_name.partition("/")[0], "Organization")
        installation = next((i for i in state.installations.values() if i.account == owner), None)
        if installation is None:
            installation = Installation(state.next_id(), owner, dict(DEFAULT_PERMISSIONS))
            state.installations[installation.id] = installation
        repository = Repository(
            id=state.next_id(),
            full_name=full_name,
            git_dir=git.locate(git_dir),
            default_branch=default_branch,
            private=private,
            installation_id=installation.id,
        )
        state.repositories[full_name.lower()] = repository
        return repository

    async def open_pull_request(
        self,
        repository: Repository,
        *,
        base: str,
        head: str,
        title: str,
        body: str = "",
        draft: bool = False,
        author: str = "octocat",
    ) -> PullRequest:
        """Open a pull request between two refs or commits, and deliver the news.

        Raises:
            GitFailed: git does not know one of them, or they have no common ancestor.
        """
        state = self.state
        now = state.clock()
        base_sha, head_sha = await _commit(repository, base), await _commit(repository, head)
        pull = PullRequest(
            id=state.next_id(),
            number=len(repository.pulls) + 1,
            title=title,
            body=body,
            user=state.find_user(author),
            base_ref=await git.find_branch(repository.git_dir, base) or repository.default_branch,
            base_sha=base_sha,
            head_ref=await git.find_branch(repository.git_dir, head) or "change",
            head_sha=head_sha,
            created_at=now,
            updated_at=now,
            draft=draft,
        )
        await self._measure(repository, pull)
        repository.pulls[pull.number] = pull
        await self.announce(repository, pull, "opened")
        return pull

    async def push(self, repository: Repository, pull: PullRequest, head: str) -> DeliveryRecord:
        """Move a pull request's head, and deliver the news."""
        before, pull.head_sha = pull.head_sha, await _commit(repository, head)
        pull.updated_at = self.state.clock()
        await self._measure(repository, pull)
        for comment in pull.comments.values():
            comment.line = await self._carried(repository, comment.path, before, pull.head_sha, comment.line)
            comment.commit_id = pull.head_sha
        return await self.announce(repository, pull, "synchronize", before=before, after=pull.head_sha)

    async def announce(
        self, repository: Repository, pull: PullRequest, action: str, **extra: Any
    ) -> DeliveryRecord:
        """Deliver a `pull_request` event."""
        payload = pull_request_payload(self.state, repository, pull, action, **extra)
        return await deliver(self.state, "pull_request", payload)

    def check_runs(self, repository: Repository, pull: PullRequest) -> list[CheckRun]:
        """The check runs of a pull request's head."""
        return [check for check in repository.check_runs.values() if check.head_sha == pull.head_sha]

    async def _measure(self, repository: Repository, pull: PullRequest) -> None:
        diff = await read_diff(repository, pull)
        pull.changed_files = len(diff.files)
        pull.additions = sum(file.additions for file in diff.files)
        pull.deletions = sum(file.deletions for file in diff.files)
        pull.commits = await git.list_commits(repository.git_dir, pull.base_sha, pull.head_sha)

    async def _carried(
        self, repository: Repository, path: str, old: str, new: str, line: int | None
    ) -> int | None:
        """Where a commented line stands after a push; None once it has changed."""
        if line is None:
            return None
        return anchors.carry(line, await git.read_shifts(repository.git_dir, old, new, path))


async def read_diff(repository: Repository, pull: PullRequest) -> git.Diff:
    """What a pull request changes."""
    return await read_range(repository, pull.base_sha, pull.head_sha)


async def read_range(repository: Repository, base: str, head: str) -> git.Diff:
    """What `base...head` changes, read once for each pair of commits."""
    key = (base, head)
    if key not in repository.diffs:
        repository.diffs[key] = await git.read_diff(repository.git_dir, *key)
    return repository.diffs[key]


async def _commit(repository: Repository, ref: str) -> str:
    found = await git.find_commit(repository.git_dir, ref)
    if found is None:
        raise GitFailed(f"{repository.full_name} has no commit {ref!r}")
    return found
