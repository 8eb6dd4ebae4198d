"""What goes to GitHub, as values that know their JSON. No import of what sends them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from reviewer.core.findings import Finding

Json = dict[str, Any]
Spot = Literal["line", "file", "summary"]


@dataclass(frozen=True, slots=True)
class LineComment:
    """A comment of a review, and the finding it says; a range runs from `start_line` to `line`."""

    finding: Finding
    path: str
    body: str
    line: int
    side: str
    start_line: int | None = None

    def as_json(self) -> Json:
        """As GitHub wants it in `comments` of a review: what is absent must not be null."""
        found: Json = {"path": self.path, "body": self.body, "line": self.line, "side": self.side}
        if self.start_line is not None:
            found |= {"start_line": self.start_line, "start_side": self.side}
        return found


@dataclass(frozen=True, slots=True)
class FileComment:
    """A comment on a file as a whole, and the finding it says.

    No review takes one: each is a write of its own, to be made once the wave's review stands.
    """

    finding: Finding
    path: str
    body: str


@dataclass(frozen=True, slots=True)
class Said:
    """A finding that is said on a pull request, and where."""

    finding: str
    fingerprint: str
    place: Spot
    path: str
    side: str
    quote: str
    category: str

    @classmethod
    def of(cls, finding: Finding, place: Spot) -> Said:
        """The finding, said there."""
        return Said(
            finding=finding.id,
            fingerprint=finding.fingerprint,
            place=place,
            path=finding.path.encode("utf-8", "replace").decode(),
            side=finding.side.value,
            quote=finding.quote.encode("utf-8", "replace").decode(),
            category=finding.category.value,
        )


@dataclass(frozen=True, slots=True)
class Wave:
    """What one review on GitHub says.

    Attributes:
        in_summary: findings told in the review's own text.
        already_said: findings that stand on the pull request from earlier reviews.
    """

    comments: tuple[LineComment, ...]
    file_comments: tuple[FileComment, ...]
    in_summary: tuple[Finding, ...]
    already_said: int

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All it says; when it stands, they count as shown."""
        said = (*self.comments, *self.file_comments)
        return (*(comment.finding for comment in said), *self.in_summary)


@dataclass(frozen=True, slots=True)
class CheckOutput:
    """What a check run shows; one that goes on has no conclusion."""

    conclusion: str | None
    title: str
    summary: str

    @property
    def output(self) -> Json:
        """As GitHub wants it."""
        return {"title": self.title, "summary": self.summary}

    def as_record(self) -> Json:
        """For the database."""
        return asdict(self)

    @classmethod
    def from_record(cls, found: Mapping[str, Any]) -> CheckOutput:
        """What `as_record` gave."""
        return cls(found["conclusion"], found["title"], found["summary"])


@dataclass(frozen=True, slots=True)
class Action:
    """A button of a check run; GitHub allows three, a label of 20 and a description of 40 characters."""

    label: str
    description: str
    identifier: str

    def as_json(self) -> Json:
        """As GitHub wants it."""
        return asdict(self)


STOP = Action("Stop", "Stop this review", "stop")
AGAIN = Action("Review again", "Review this commit once more", "again")


@dataclass(frozen=True, slots=True)
class Annotation:
    """A remark of a check run on lines of the head; its texts are shown as they are, without Markdown."""

    path: str
    start_line: int
    end_line: int
    level: str
    title: str
    message: str

    def as_record(self) -> Json:
        """For the database."""
        return asdict(self)

    def as_json(self) -> Json:
        """As GitHub wants it."""
        found = asdict(self)
        found["annotation_level"] = found.pop("level")
        return found
