"""Which pull requests are reviewed, and what is shown of a review: defaults, and settings of the host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from reviewer.core.findings import Severity
from webhooks.news import PullFacts

PartialConclusion = Literal["neutral", "success", "failure", "action_required"]


@dataclass(frozen=True, slots=True)
class Rules:
    """How pull requests are handled.

    Attributes:
        label: only pull requests that carry it are reviewed; None: all.
        publish_seconds: comments are posted every so often while a review runs; 0: at its end.
        max_comments: of one review; the rest goes into its summary.
        max_comments_per_pull_request: over all reviews of it.
        fail_on: the check run fails with a finding this severe or worse; None: it never does.
        partial: how a check run ends whose review is not complete.
        commanders: `author_association` of who may give commands in comments.
    """

    drafts: bool = False
    bots: bool = False
    label: str | None = None
    publish_seconds: float = 0.0
    max_comments: int = 25
    max_comments_per_pull_request: int = 100
    annotations: bool = True
    fail_on: Severity | None = None
    partial: PartialConclusion = "neutral"
    commanders: frozenset[str] = frozenset({"OWNER", "MEMBER", "COLLABORATOR"})

    def reason_not_to_review(self, pull: PullFacts) -> str | None:
        """Why a pull request is not reviewed as it stands, for people; None: it is."""
        if pull.state != "open":
            return "the pull request is closed"
        if pull.draft and not self.drafts:
            return "a draft is reviewed when it is ready for review"
        if pull.author_is_bot and not self.bots:
            return f"{pull.author} is a bot; SLUICE_REVIEW_BOTS=true has such pull requests reviewed"
        if self.label is not None and self.label not in pull.labels:
            return f"the label {self.label!r} asks for a review here, and it is not set"
        return None
