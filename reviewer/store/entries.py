"""Events as the feed gives them out, and which of them somebody wants."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from reviewer.core.audience import EVERYTHING, Audience, Sight


@dataclass(slots=True)
class Entry:
    """An event in the feed; one object is shared by all who read it, and nobody changes it.

    Attributes:
        text: its public JSON, on one line.
        severity: of the finding that it tells.
        wire: a place for its bytes on the way out, made by the first who sends it.
    """

    position: int
    type: str
    at: datetime
    review: str
    repository: str
    pull_request: int | None
    severity: str | None
    audience: Audience
    text: str
    wire: bytes | None = field(default=None, compare=False, repr=False)

    @property
    def data(self) -> dict[str, Any]:
        """The public JSON, read anew each time."""
        return json.loads(self.text)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events to read; empty means any that is in sight. Severities bear on findings only."""

    review: str | None = None
    repository: str | None = None
    pull_request: int | None = None
    types: frozenset[str] = frozenset()
    severities: frozenset[str] = frozenset()
    sight: Sight = EVERYTHING

    def wants(self, entry: Entry) -> bool:
        """Whether an entry is one of them, as the database decides it for those that are read from there."""
        return (
            (self.sight.everything or self.sight.sees(entry.audience))
            and (self.review is None or entry.review == self.review)
            and (self.repository is None or entry.repository == self.repository)
            and (self.pull_request is None or entry.pull_request == self.pull_request)
            and (not self.types or entry.type in self.types)
            and (not self.severities or entry.type != "finding" or entry.severity in self.severities)
        )


def entry_of(row: Mapping[str, Any]) -> Entry:
    """The entry of a row with the columns that `feed.sql` names."""
    at: datetime = row["at"].astimezone(UTC)
    subject = {
        "review": row["review"],
        "repository": row["repository"],
        "pull_request": row["pull_request"],
        "head_sha": row["head_sha"],
        "at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    own: str = row["data"]
    head = json.dumps(subject, ensure_ascii=False)
    return Entry(
        position=row["position"],
        type=row["type"],
        at=at,
        review=row["review"],
        repository=row["repository"],
        pull_request=row["pull_request"],
        severity=row["severity"],
        audience=Audience(
            installation=row["installation"], repository_id=row["repository_id"], api_key=row["api_key"]
        ),
        text=head if own == "{}" else f"{head[:-1]}, {own[1:]}",
    )
