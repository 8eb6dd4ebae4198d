"""What people do who log in to the app: sign in at GitHub, decline, revoke; and who lets them in where."""

from __future__ import annotations

from typing import Literal

from webhooks.sandbox import payloads
from webhooks.sandbox.deliveries import deliver
from webhooks.sandbox.people.acting import Acting
from webhooks.sandbox.state import DeliveryRecord, Repository, User

Level = Literal["read", "triage", "write", "maintain", "admin"]


class OnLogins(Acting):
    """Acts on who may see what."""

    def sign_in(self, login: str) -> User:
        """Be that person at GitHub from now on, who gives the app what it asks."""
        logins = self.state.logins
        logins.signed_in, logins.declines = self.state.find_user(login), False
        return logins.signed_in

    def sign_out(self) -> None:
        """Be nobody at GitHub; what the app was given stays."""
        self.state.logins.signed_in = None

    def decline(self) -> None:
        """Refuse the app what it asks, until the next `sign_in`."""
        self.state.logins.declines = True

    async def revoke(self, login: str) -> DeliveryRecord:
        """Take back all that a person gave the app."""
        user = self.state.find_user(login)
        self.state.logins.revoke(user)
        payload = payloads.of_authorization(self.state, sender=user)
        return await deliver(self.state, "github_app_authorization", payload)

    def let_in(
        self,
        repository: Repository,
        login: str,
        level: Literal["read", "triage", "write", "maintain", "admin"],
    ) -> None:
        """Make somebody a collaborator, or change what they may do."""
        self.state.find_user(login)
        repository.people[login] = level

    def shut_out(self, repository: Repository, login: str) -> None:
        """Take somebody's access away."""
        repository.people.pop(login, None)
