"""The conversation of a pull request: remarks, replies, threads."""

from __future__ import annotations

from webhooks.sandbox import payloads
from webhooks.sandbox.deliveries import deliver
from webhooks.sandbox.people.acting import Acting
from webhooks.sandbox.records import AccountType
from webhooks.sandbox.replies import make_reply
from webhooks.sandbox.state import DeliveryRecord, IssueComment, PullRequest, Repository, ReviewComment


class OnTalk(Acting):
    """Takes part in conversations."""

    async def comment(
        self,
        repository: Repository,
        pull: PullRequest,
        text: str,
        author: str,
        association: str = "MEMBER",
        *,
        author_type: AccountType = "User",
    ) -> IssueComment:
        """Say something in the conversation, and deliver it."""
        state = self.state
        now = state.clock()
        user = state.find_user(author, author_type)
        remark = IssueComment(state.next_id(), pull.number, text, user, now, now, association, state.ticks())
        pull.remarks[remark.id] = remark
        self.touch(pull)
        await deliver(state, "issue_comment", payloads.of_remark(state, repository, pull, remark))
        return remark

    async def reply(
        self,
        repository: Repository,
        pull: PullRequest,
        comment: ReviewComment,
        text: str,
        author: str,
        *,
        association: str = "MEMBER",
    ) -> ReviewComment:
        """Answer a comment on the diff, and deliver the answer."""
        state = self.state
        made = make_reply(state, pull, comment, text, state.find_user(author), association=association)
        payload = payloads.of_comment(state, repository, pull, made)
        await deliver(state, "pull_request_review_comment", payload)
        return made

    async def resolve_thread(
        self, repository: Repository, pull: PullRequest, comment: ReviewComment, by: str
    ) -> DeliveryRecord:
        """Call the thread of a comment done."""
        root = comment.in_reply_to_id or comment.id
        pull.resolved[root] = self.state.find_user(by)
        return await self._tell_thread(repository, pull, root, by, resolved=True)

    async def unresolve_thread(
        self, repository: Repository, pull: PullRequest, comment: ReviewComment, by: str
    ) -> DeliveryRecord:
        """Open the thread of a comment again."""
        root = comment.in_reply_to_id or comment.id
        pull.resolved.pop(root, None)
        return await self._tell_thread(repository, pull, root, by, resolved=False)

    async def _tell_thread(
        self, repository: Repository, pull: PullRequest, root: int, by: str, *, resolved: bool
    ) -> DeliveryRecord:
        self.touch(pull)
        sender = self.state.find_user(by)
        payload = payloads.of_thread(self.state, repository, pull, root, resolved=resolved, sender=sender)
        return await deliver(self.state, "pull_request_review_thread", payload)
