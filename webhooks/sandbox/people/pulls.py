"""Pull requests: opened, pushed to, closed, labelled, moved to another base."""

from __future__ import annotations

from collections.abc import Sequence

from webhooks.sandbox import git
from webhooks.sandbox.diffs import read_commit, read_diff
from webhooks.sandbox.git import GitFailed
from webhooks.sandbox.outdating import follow_push
from webhooks.sandbox.people.acting import Acting
from webhooks.sandbox.records import AccountType
from webhooks.sandbox.state import DeliveryRecord, PullRequest, Repository


class OnPulls(Acting):
    """Acts on pull requests."""

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
        author_type: AccountType = "User",
        author_association: str = "CONTRIBUTOR",
        labels: Sequence[str] = (),
        fork: str | None = None,
        fork_gone: bool = False,
    ) -> PullRequest:
        """Open a pull request between two refs or commits, and deliver the news.

        Args:
            repository: it is opened here.
            base: branch or commit to merge into.
            head: branch or commit to merge.
            title: shown to people.
            body: its description.
            draft: not ready for review.
            author: login of who opens it.
            author_type: of an account that is not known yet.
            author_association: what the author is to the repository.
            labels: set from the start.
            fork: full name of the repository with the head, if that is another one.
            fork_gone: that repository was deleted.

        Raises:
            GitFailed: git does not know one of them, or they have no common ancestor.
        """
        state = self.state
        now = state.clock()
        base_sha, head_sha = await read_commit(repository, base), await read_commit(repository, head)
        pull = PullRequest(
            id=state.next_id(),
            number=len(repository.pulls) + 1,
            title=title,
            body=body,
            user=state.find_user(author, author_type),
            base_ref=await git.find_branch(repository.git_dir, base) or repository.default_branch,
            base_sha=base_sha,
            head_ref=await git.find_branch(repository.git_dir, head) or "change",
            head_sha=head_sha,
            created_at=now,
            updated_at=now,
            draft=draft,
            author_association=author_association,
            labels=list(labels),
            fork=fork,
            fork_gone=fork_gone,
        )
        await self._measure(repository, pull)
        repository.pulls[pull.number] = pull
        await self.announce(repository, pull, "opened")
        return pull

    async def push(
        self, repository: Repository, pull: PullRequest, head: str, *, force: bool = False
    ) -> DeliveryRecord:
        """Move a pull request's head, and deliver the news.

        Raises:
            GitFailed: git does not know the new head, or it does not follow the old one unforced.
        """
        before, after = pull.head_sha, await read_commit(repository, head)
        if not force and await git.find_merge_base(repository.git_dir, before, after) != before:
            raise GitFailed(f"the head {after} does not follow {before}: force the push")
        pull.head_sha = after
        self.touch(pull)
        await self._measure(repository, pull)
        await follow_push(repository, pull, before)
        return await self.announce(repository, pull, "synchronize", before=before, after=after)

    async def retarget(
        self, repository: Repository, pull: PullRequest, base: str, *, by: str | None = None
    ) -> DeliveryRecord:
        """Choose another base branch."""
        before = {"ref": {"from": pull.base_ref}, "sha": {"from": pull.base_sha}}
        pull.base_sha = await read_commit(repository, base)
        pull.base_ref = await git.find_branch(repository.git_dir, base) or base
        self.touch(pull)
        await self._measure(repository, pull)
        await follow_push(repository, pull, pull.head_sha)
        return await self.announce(repository, pull, "edited", by=by, changes={"base": before})

    async def advance_base(self, repository: Repository, pull: PullRequest, base: str) -> None:
        """Move the base branch on, as other people's merges do; nobody is told."""
        pull.base_sha = await read_commit(repository, base)
        await self._measure(repository, pull)
        await follow_push(repository, pull, pull.head_sha)

    async def retitle(
        self, repository: Repository, pull: PullRequest, title: str, *, by: str | None = None
    ) -> DeliveryRecord:
        """Give another title."""
        before, pull.title = pull.title, title
        self.touch(pull)
        return await self.announce(repository, pull, "edited", by=by, changes={"title": {"from": before}})

    async def close(
        self, repository: Repository, pull: PullRequest, merged: bool = False, *, by: str | None = None
    ) -> DeliveryRecord:
        """Close a pull request, or merge it."""
        pull.state, pull.merged = "closed", merged
        self.touch(pull)
        pull.closed_at = pull.updated_at
        return await self.announce(repository, pull, "closed", by=by)

    async def reopen(
        self, repository: Repository, pull: PullRequest, *, by: str | None = None
    ) -> DeliveryRecord:
        """Open a closed pull request again."""
        pull.state, pull.closed_at = "open", None
        self.touch(pull)
        return await self.announce(repository, pull, "reopened", by=by)

    async def convert_to_draft(
        self, repository: Repository, pull: PullRequest, *, by: str | None = None
    ) -> DeliveryRecord:
        """Take a pull request back from review."""
        pull.draft = True
        self.touch(pull)
        return await self.announce(repository, pull, "converted_to_draft", by=by)

    async def mark_ready(
        self, repository: Repository, pull: PullRequest, *, by: str | None = None
    ) -> DeliveryRecord:
        """Say that a draft is ready for review."""
        pull.draft = False
        self.touch(pull)
        return await self.announce(repository, pull, "ready_for_review", by=by)

    async def label(
        self, repository: Repository, pull: PullRequest, name: str, *, by: str | None = None
    ) -> DeliveryRecord:
        """Set a label."""
        if name not in pull.labels:
            pull.labels.append(name)
        self.touch(pull)
        return await self.announce(repository, pull, "labeled", by=by, label={"name": name})

    async def unlabel(
        self, repository: Repository, pull: PullRequest, name: str, *, by: str | None = None
    ) -> DeliveryRecord:
        """Take a label away."""
        pull.labels.remove(name)
        self.touch(pull)
        return await self.announce(repository, pull, "unlabeled", by=by, label={"name": name})

    async def lock(
        self, repository: Repository, pull: PullRequest, *, by: str | None = None
    ) -> DeliveryRecord:
        """Lock the conversation: the app can't write into it."""
        pull.locked = True
        self.touch(pull)
        return await self.announce(repository, pull, "locked", by=by)

    async def _measure(self, repository: Repository, pull: PullRequest) -> None:
        diff = await read_diff(repository, pull)
        pull.changed_files = len(diff.files)
        pull.additions = sum(file.additions for file in diff.files)
        pull.deletions = sum(file.deletions for file in diff.files)
        pull.commits = await git.list_commits(repository.git_dir, pull.base_sha, pull.head_sha)
