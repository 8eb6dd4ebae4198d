"""What a reviewer says about a line: as an engine reports it, and as Sluice stands for it."""

from __future__ import annotations

import hashlib
import re
from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

TOOL_NAME = "report_findings"
LONGEST_QUOTE = 4_000


class Side(StrEnum):
    """GitHub's word for which file a line number counts in."""

    RIGHT = "RIGHT"
    LEFT = "LEFT"


class Severity(StrEnum):
    """How bad it is if the finding is true; `rank` 0 is worst."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def rank(self) -> int:
        """0 for critical to 3 for low: sorts worst first."""
        return list(Severity).index(self)

    def at_least(self, other: Severity) -> bool:
        """Whether this is as bad as `other`, or worse."""
        return self.rank <= other.rank


class Category(StrEnum):
    """What kind of trouble."""

    BUG = "bug"
    SECURITY = "security"
    PERFORMANCE = "performance"
    CONCURRENCY = "concurrency"
    API = "api"
    TEST = "test"
    MAINTAINABILITY = "maintainability"


class Confidence(StrEnum):
    """How sure the reviewer is."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class ReportedFinding(BaseModel):
    """One element of the tool's `findings` array, validated and nothing more: its line may be wrong."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    path: str = Field(min_length=1, max_length=4096, description="Path of the file, as given in the diff.")
    side: Side = Field(
        default=Side.RIGHT, description="RIGHT for added and unchanged lines, LEFT for removed lines."
    )
    line: int = Field(ge=1, description="Line number as printed before the line, counted in its side.")
    end_line: int | None = Field(
        default=None, ge=1, description="Last line of the range, or null for a single line."
    )
    quote: str = Field(max_length=LONGEST_QUOTE, description="The text of the line at `line`, verbatim.")
    severity: Severity
    category: Category
    title: str = Field(min_length=1, max_length=200, description="The problem in one short sentence.")
    message: str = Field(
        min_length=1,
        max_length=4000,
        description="What goes wrong, when, and what to do. Name the inputs that trigger it.",
    )
    suggestion: str | None = Field(
        default=None,
        max_length=8000,
        description="Replacement for exactly the lines line..end_line, or null. RIGHT side only.",
    )
    confidence: Confidence = Confidence.MEDIUM

    @field_validator("quote", mode="before")
    @classmethod
    def _beginning(cls, value: object) -> object:
        # The beginning of a very long line tells it as well as all of it
        return value[:LONGEST_QUOTE] if isinstance(value, str) else value

    @field_validator("*", mode="before")
    @classmethod
    def _without_nul(cls, value: object) -> object:
        # PostgreSQL stores no NUL, not even in JSON
        return value.replace("\0", "\ufffd") if isinstance(value, str) else value

    @model_validator(mode="after")
    def _range_runs_forward(self) -> Self:
        if self.end_line is not None and self.end_line < self.line:
            msg = f"end_line {self.end_line} is before line {self.line}"
            raise ValueError(msg)
        return self


class Finding(ReportedFinding):
    """A finding Sluice stands for: anchored, redacted and safe to render.

    `line` is None only when the finding is about the file as a whole because its line can't carry a comment.
    Title and message may be longer than what was reported: what makes them safe adds to them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    fingerprint: str
    chunk: str
    source: str
    verified: bool
    line: int | None = Field(default=None, ge=1)  # pyright: ignore[reportIncompatibleVariableOverride]
    title: str = Field(min_length=1)
    message: str = Field(min_length=1)

    @model_validator(mode="after")
    def _range_runs_forward(self) -> Self:
        if self.line is None or self.end_line is None or self.end_line >= self.line:
            return self
        msg = f"end_line {self.end_line} is before line {self.line}"
        raise ValueError(msg)

    @property
    def place(self) -> str:
        """`path:line` or `path`, for people."""
        return self.path if self.line is None else f"{self.path}:{self.line}"


class Report(BaseModel):
    """The input of the `report_findings` tool."""

    model_config = ConfigDict(extra="ignore")

    findings: list[ReportedFinding]


def tool_schema() -> dict[str, Any]:
    """JSON schema of the tool's input, made from the model that validates the answer.

    Every property is required and no other is allowed, which `strict` tools ask for;
    `null` says "none". References are inlined.
    """
    schema = Report.model_json_schema()
    definitions = schema.pop("$defs")
    return _inlined(schema, definitions)


_UNSUPPORTED_BY_STRICT = ("title", "default", "minLength", "maxLength", "minimum", "maximum")


def _inlined(node: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_inlined(item, definitions) for item in node]  # pyright: ignore[reportUnknownVariableType]
    if not isinstance(node, dict):
        return node
    here: dict[str, Any] = dict(node)  # pyright: ignore[reportUnknownArgumentType]
    if "$ref" in here:
        target = definitions[str(here.pop("$ref")).rsplit("/", 1)[-1]]
        here = {**target, **here}
    is_schema = "type" in here or "anyOf" in here or "enum" in here
    result = {
        key: _inlined(value, definitions)
        for key, value in here.items()
        if not (is_schema and key in _UNSUPPORTED_BY_STRICT and not isinstance(value, dict))
    }
    if "properties" in result:
        result["required"] = list(result["properties"])
        result["additionalProperties"] = False
    return result


_SPACES = re.compile(r"\s+")


def fingerprint(path: str, category: Category, neighbourhood: tuple[str, ...]) -> str:
    """What makes two findings the same across pushes: never the line number.

    Args:
        path: the file's new path.
        category: of the finding.
        neighbourhood: text of the anchored line and its neighbours in the hunk, in order.
    """
    normal = "\n".join(_SPACES.sub(" ", line).strip() for line in neighbourhood)
    digest = hashlib.sha256(f"{path}\0{category}\0{normal}".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:24]
