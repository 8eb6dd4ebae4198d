"""Check runs: https://docs.github.com/en/rest/checks/runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from webhooks.github.client import GitHub
from webhooks.github.transport import Fence

MOST_ANNOTATIONS = 50
"""Of one request; those of the next are added to them."""

Json = Mapping[str, Any]
"""An object as GitHub's API has it: an output with `title` and `summary`, an annotation, an action."""

Status = Literal["queued", "in_progress", "completed"]


@dataclass(frozen=True, slots=True)
class CheckRun:
    """A check run as it stands."""

    id: int
    status: str
    conclusion: str | None
    external_id: str | None
    annotations_count: int

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> CheckRun:
        """From GitHub's JSON."""
        output: Mapping[str, Any] = item.get("output") or {}
        return cls(
            id=int(item["id"]),
            status=item["status"],
            conclusion=item.get("conclusion"),
            external_id=item.get("external_id"),
            annotations_count=int(output.get("annotations_count") or 0),
        )


class Checks:
    """What Sluice does with check runs."""

    def __init__(self, github: GitHub) -> None:
        self._github = github

    async def create(
        self,
        installation: int,
        repository: str,
        *,
        name: str,
        head_sha: str,
        details_url: str | None,
        external_id: str,
        status: Status = "in_progress",
        output: Json | None = None,
        actions: Sequence[Json] = (),
        fence: Fence | None = None,
    ) -> int:
        """Open a check run; gives its id.

        https://docs.github.com/en/rest/checks/runs#create-a-check-run
        """
        body = {
            "name": name,
            "head_sha": head_sha,
            "external_id": external_id,
            "details_url": details_url,
            "status": status,
            "output": output,
            "actions": list(actions) or None,
        }
        path = f"/repos/{repository}/check-runs"
        made = await self._github.write(installation, "POST", path, _present(body), fence=fence)
        return int(made["id"])

    async def update(
        self,
        installation: int,
        repository: str,
        check_run: int,
        *,
        status: Status,
        output: Json,
        conclusion: str | None = None,
        annotations: Sequence[Json] = (),
        actions: Sequence[Json] | None = None,
        fence: Fence | None = None,
    ) -> None:
        """Say how a check run stands; with a conclusion it ends, and is `completed` whatever else is said.

        Annotations are added to those of earlier requests. Actions take the place of earlier ones.

        https://docs.github.com/en/rest/checks/runs#update-a-check-run

        Raises:
            ValueError: over `MOST_ANNOTATIONS`, or an end without conclusion.
        """
        if len(annotations) > MOST_ANNOTATIONS:
            raise ValueError(f"{len(annotations)} annotations are over the {MOST_ANNOTATIONS} of one request")
        if status == "completed" and conclusion is None:
            raise ValueError("a check run that is completed has a conclusion")
        body = {
            "status": status if conclusion is None else "completed",
            "conclusion": conclusion,
            "output": {**output, "annotations": list(annotations)} if annotations else output,
            "actions": None if actions is None else list(actions),
        }
        path = f"/repos/{repository}/check-runs/{check_run}"
        await self._github.write(installation, "PATCH", path, _present(body), fence=fence)

    async def read(self, installation: int, repository: str, check_run: int) -> CheckRun:
        """The check run as it stands.

        https://docs.github.com/en/rest/checks/runs#get-a-check-run
        """
        answer = await self._github.read(installation, f"/repos/{repository}/check-runs/{check_run}")
        return CheckRun.of(answer.json())

    async def of_commit(self, installation: int, repository: str, sha: str, name: str) -> list[CheckRun]:
        """All check runs of that name on a commit, older ones too; or an error: never a part.

        https://docs.github.com/en/rest/checks/runs#list-check-runs-for-a-git-reference
        """
        pages = self._github.pages(
            installation,
            f"/repos/{repository}/commits/{sha}/check-runs",
            params={"check_name": name, "filter": "all"},
            field="check_runs",
        )
        return [CheckRun.of(item) async for page in pages for item in page if item["name"] == name]


def _present(body: Mapping[str, Any]) -> dict[str, Any]:
    """What is absent must not be null."""
    return {name: value for name, value in body.items() if value is not None}
