"""Whoever acts on the sandbox."""

from __future__ import annotations

from typing import Any

from webhooks.sandbox import payloads
from webhooks.sandbox.deliveries import deliver
from webhooks.sandbox.state import DeliveryRecord, PullRequest, Repository, State


class Acting:
    """Acts on a state."""

    def __init__(self, state: State) -> None:
        self.state = state

    async def announce(
        self, repository: Repository, pull: PullRequest, action: str, *, by: str | None = None, **extra: Any
    ) -> DeliveryRecord:
        """Deliver a `pull_request` event; its sender is the author, or `by`."""
        sender = self.state.find_user(by) if by else pull.user
        payload = payloads.of_pull(self.state, repository, pull, action, sender=sender, **extra)
        return await deliver(self.state, "pull_request", payload)

    def touch(self, pull: PullRequest) -> None:
        """Move the time of a pull request's last change."""
        pull.updated_at = self.state.clock()
