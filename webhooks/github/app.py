"""The app itself: who it is, where it is installed, and the webhooks that GitHub sent it.

https://docs.github.com/en/rest/apps
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reviewer.errors import ForgeRefused
from webhooks.github.client import GitHub
from webhooks.news import Place

# What GitHub lets accounts and repositories be called; an underscore is in the logins of managed accounts
_FULL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}/(?!\.{1,2}\Z)[A-Za-z0-9._-]{1,100}")


@dataclass(frozen=True, slots=True)
class Installation:
    """An account where the app is installed; `permissions` are those that were accepted there."""

    id: int
    suspended: bool
    permissions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DeliveryItem:
    """One attempt of GitHub's to deliver an event.

    Attributes:
        guid: of the event; the same for every attempt.
        status: GitHub's word; `OK` is success.
    """

    id: int
    guid: str
    delivered_at: datetime
    redelivery: bool
    status: str
    status_code: int
    event: str
    action: str | None
    installation_id: int | None

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> DeliveryItem:
        """From GitHub's JSON."""
        return cls(
            id=int(item["id"]),
            guid=item["guid"],
            delivered_at=datetime.fromisoformat(item["delivered_at"]),
            redelivery=bool(item["redelivery"]),
            status=item["status"],
            status_code=int(item["status_code"]),
            event=item["event"],
            action=item.get("action"),
            installation_id=item.get("installation_id"),
        )


class AppRoutes:
    """What Sluice asks as the app."""

    def __init__(self, github: GitHub) -> None:
        self._github = github

    async def slug(self) -> str:
        """The app's short name; what it writes is by `<slug>[bot]`.

        https://docs.github.com/en/rest/apps/apps#get-the-authenticated-app
        """
        return str((await self._github.app_read("/app")).json()["slug"])

    async def installations(self) -> list[Installation]:
        """All installations, or an error: never a part.

        https://docs.github.com/en/rest/apps/apps#list-installations-for-the-authenticated-app
        """
        return [
            _installation(item)
            async for page in self._github.app_pages("/app/installations")
            for item in page
        ]

    async def installation(self, number: int) -> Installation:
        """One of the app's installations.

        https://docs.github.com/en/rest/apps/apps#get-an-installation-for-the-authenticated-app

        Raises:
            ForgeRefused: 404, the app has none of that number.
            ForgeError: see `GitHub.app_read`.
        """
        return _installation((await self._github.app_read(f"/app/installations/{number}")).json())

    async def repositories(self, installation: int) -> list[tuple[int, str, bool]]:
        """Id, full name and whether it is archived, of all repositories that the app sees; never a part.

        https://docs.github.com/en/rest/apps/installations#list-repositories-accessible-to-the-app-installation
        """
        pages = self._github.pages(installation, "/installation/repositories", field="repositories")
        return [
            (int(item["id"]), str(item["full_name"]), bool(item.get("archived")))
            async for page in pages
            for item in page
        ]

    async def find(self, full_name: str) -> Place:
        """The repository of that name, or that had it once.

        https://docs.github.com/en/rest/apps/apps#get-a-repository-installation-for-the-authenticated-app

        Raises:
            ForgeRefused: the name is none, or the app is not installed there.
            InstallationLost: it is suspended there.
            ForgeError: see `GitHub.read`.
        """
        if _FULL_NAME.fullmatch(full_name) is None:
            raise ForgeRefused("a repository is named as OWNER/NAME", status=422)
        path = f"/repos/{full_name}"
        try:
            found = (await self._github.app_read(f"{path}/installation")).json()
            installation = int(found["id"])
            item = (await self._github.read(installation, path)).json()
        except ForgeRefused as error:
            if error.status != 404:
                raise
            raise ForgeRefused(
                f"the app is not installed on {full_name}, or there is no such repository; an owner installs "
                "it from the app's page on GitHub",
                status=404,
            ) from error
        return Place(installation, int(item["id"]), str(item["full_name"]))

    async def deliveries(self, since: datetime) -> AsyncIterator[DeliveryItem]:
        """Attempts to deliver, newest first, back to a time.

        https://docs.github.com/en/rest/apps/webhooks#list-deliveries-for-an-app-webhook
        """
        async for page in self._github.app_pages("/app/hook/deliveries"):
            for item in page:
                found = DeliveryItem.of(item)
                if found.delivered_at < since:
                    return
                yield found

    async def redeliver(self, delivery_id: int) -> None:
        """Have GitHub deliver an event again.

        https://docs.github.com/en/rest/apps/webhooks#redeliver-a-delivery-for-an-app-webhook
        """
        await self._github.app_write("POST", f"/app/hook/deliveries/{delivery_id}/attempts")


def _installation(item: Mapping[str, Any]) -> Installation:
    return Installation(int(item["id"]), bool(item.get("suspended_at")), item.get("permissions") or {})
