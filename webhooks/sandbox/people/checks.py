"""Check runs: asked for again, and their buttons."""

from __future__ import annotations

from webhooks.sandbox import payloads
from webhooks.sandbox.deliveries import deliver
from webhooks.sandbox.people.acting import Acting
from webhooks.sandbox.state import CheckRun, DeliveryRecord, PullRequest, Repository


class OnChecks(Acting):
    """Acts on check runs."""

    def check_runs(self, repository: Repository, pull: PullRequest) -> list[CheckRun]:
        """The check runs of a pull request's head."""
        return [check for check in repository.check_runs.values() if check.head_sha == pull.head_sha]

    async def rerequest(
        self, repository: Repository, check: CheckRun, *, by: str = "octocat"
    ) -> DeliveryRecord:
        """Ask for a check run again."""
        sender = self.state.find_user(by)
        payload = payloads.of_check(self.state, repository, check, "rerequested", sender=sender)
        return await deliver(self.state, "check_run", payload)

    async def press(
        self, repository: Repository, check: CheckRun, identifier: str, *, by: str = "octocat"
    ) -> DeliveryRecord:
        """Press a button of a check run.

        Raises:
            LookupError: it has no such button.
        """
        if identifier not in {action.get("identifier") for action in check.actions}:
            raise LookupError(f"check run {check.id} has no button {identifier!r}")
        payload = payloads.of_check(
            self.state,
            repository,
            check,
            "requested_action",
            sender=self.state.find_user(by),
            requested_action={"identifier": identifier},
        )
        return await deliver(self.state, "check_run", payload)

    async def rerequest_suite(
        self, repository: Repository, sha: str, *, by: str = "octocat"
    ) -> DeliveryRecord:
        """Ask for all checks of a commit again."""
        payload = payloads.of_suite(self.state, repository, sha, sender=self.state.find_user(by))
        return await deliver(self.state, "check_suite", payload)
