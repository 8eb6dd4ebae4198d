"""What owners do: install the app and take it away, rename and transfer repositories."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from webhooks.sandbox import git, payloads
from webhooks.sandbox.deliveries import deliver
from webhooks.sandbox.people.acting import Acting
from webhooks.sandbox.shapes import user_shape
from webhooks.sandbox.state import DEFAULT_PERMISSIONS, DeliveryRecord, Installation, Repository, User


class OnOwned(Acting):
    """Acts on accounts and repositories."""

    def add_repository(
        self, full_name: str, *, git_dir: Path, default_branch: str, private: bool = True
    ) -> Repository:
        """Make a repository of a git folder, with the app installed on its owner's account."""
        state = self.state
        installation = self._install(full_name.partition("/")[0])
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

    async def rename(self, repository: Repository, new_name: str, *, by: str = "octocat") -> DeliveryRecord:
        """Give a repository another name; the old one leads to it."""
        old = repository.name
        self._move(repository, f"{repository.owner}/{new_name}")
        changes = {"repository": {"name": {"from": old}}}
        return await self._tell_repository(repository, "renamed", changes, by)

    async def transfer(
        self, repository: Repository, new_owner: str, *, installed: bool = True, by: str = "octocat"
    ) -> DeliveryRecord:
        """Give a repository to another account, on which the app is installed, or else out of its reach."""
        state = self.state
        before = state.installations[repository.installation_id]
        changes = {"owner": {"from": {"organization": user_shape(state, before.account)}}}
        self._move(repository, f"{new_owner}/{repository.name}")
        if installed:
            repository.installation_id = self._install(new_owner).id
            return await self._tell_repository(repository, "transferred", changes, by)
        del state.repositories[repository.full_name.lower()]
        return await self._tell_removed(before, repository, by)

    async def archive(self, repository: Repository, *, by: str = "octocat") -> DeliveryRecord:
        """Make a repository read-only."""
        repository.archived = True
        return await self._tell_repository(repository, "archived", None, by)

    async def delete_repository(self, repository: Repository, *, by: str = "octocat") -> DeliveryRecord:
        """Delete a repository."""
        del self.state.repositories[repository.full_name.lower()]
        return await self._tell_repository(repository, "deleted", None, by)

    async def remove_repository(self, repository: Repository, *, by: str = "octocat") -> DeliveryRecord:
        """Take a repository out of the installation."""
        del self.state.repositories[repository.full_name.lower()]
        installation = self.state.installations[repository.installation_id]
        return await self._tell_removed(installation, repository, by)

    async def uninstall(self, account: str, *, by: str = "octocat") -> DeliveryRecord:
        """Take the app from an account; its tokens are worth nothing any more."""
        installation = self.find_installation(account)
        lost = self.state.reached(installation)
        del self.state.installations[installation.id]
        for repository in lost:
            del self.state.repositories[repository.full_name.lower()]
        return await self._tell_installation(installation, "deleted", lost, by)

    async def suspend(self, account: str, *, by: str = "octocat") -> DeliveryRecord:
        """Suspend the app on an account."""
        installation = self.find_installation(account)
        installation.suspended, installation.updated_at = True, self.state.clock()
        return await self._tell_installation(installation, "suspend", [], by)

    async def unsuspend(self, account: str, *, by: str = "octocat") -> DeliveryRecord:
        """Let the app work on an account again."""
        installation = self.find_installation(account)
        installation.suspended, installation.updated_at = False, self.state.clock()
        return await self._tell_installation(installation, "unsuspend", [], by)

    def find_installation(self, account: str) -> Installation:
        """The installation on an account.

        Raises:
            LookupError: there is none.
        """
        for installation in self.state.installations.values():
            if installation.account.login == account:
                return installation
        raise LookupError(f"the app is not installed on {account}")

    def _install(self, account: str) -> Installation:
        state = self.state
        owner: User = state.find_user(account, "Organization")
        found = next((i for i in state.installations.values() if i.account == owner), None)
        if found is None:
            now = state.clock()
            found = Installation(state.next_id(), owner, dict(DEFAULT_PERMISSIONS), now, now)
            state.installations[found.id] = found
        return found

    def _move(self, repository: Repository, full_name: str) -> None:
        state = self.state
        old = repository.full_name.lower()
        del state.repositories[old]
        state.moved[old] = repository.id
        state.moved.pop(full_name.lower(), None)
        repository.full_name = full_name
        state.repositories[full_name.lower()] = repository

    async def _tell_repository(
        self, repository: Repository, action: str, changes: dict[str, Any] | None, by: str
    ) -> DeliveryRecord:
        sender = self.state.find_user(by)
        payload = payloads.of_repository(self.state, repository, action, changes=changes, sender=sender)
        return await deliver(self.state, "repository", payload)

    async def _tell_removed(
        self, installation: Installation, repository: Repository, by: str
    ) -> DeliveryRecord:
        sender = self.state.find_user(by)
        payload = payloads.of_selection(
            self.state, installation, added=[], removed=[repository], sender=sender
        )
        return await deliver(self.state, "installation_repositories", payload)

    async def _tell_installation(
        self, installation: Installation, action: str, lost: list[Repository], by: str
    ) -> DeliveryRecord:
        sender = self.state.find_user(by)
        payload = payloads.of_installation(self.state, installation, action, lost, sender=sender)
        return await deliver(self.state, "installation", payload)
