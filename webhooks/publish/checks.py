"""Every sentence a person reads in a check run on GitHub."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from reviewer.core.coverage import Reason
from reviewer.core.findings import Finding
from reviewer.job import Outcome
from webhooks.policy import Rules
from webhooks.publish.render import MAX_BODY, SIGNS, bounded, counts, coverage, notes, told
from webhooks.publish.tables import cell, code, fitted
from webhooks.publish.values import CheckOutput

_MEANT_TO_BE_LEFT_OUT = frozenset({Reason.BINARY, Reason.GENERATED, Reason.IGNORED})
_LOCKED = re.compile(r"\block(?:ed)?\b")
_TABLE = "| Severity | Place | Finding |\n| --- | --- | --- |\n"


def queued_check(ahead: int | None) -> CheckOutput:
    """A check run whose review waits for its turn.

    Args:
        ahead: reviews of the same installation before it; None: nobody knows.
    """
    if not ahead:
        return CheckOutput(None, "queued", "The review begins in a moment.")
    many = f"{ahead:,} reviews wait" if ahead > 1 else "1 review waits"
    return CheckOutput(None, f"queued behind {ahead:,}", f"{many} before this one.")


def running_check(done: int, total: int, findings_by_severity: Mapping[str, int]) -> CheckOutput:
    """A check run whose review is under way; `total` is 0 until it is planned."""
    if not total:
        return CheckOutput(None, "reads the change", "The review has begun and reads the change.")
    found = ", ".join(f"{count} {severity}" for severity, count in findings_by_severity.items() if count)
    title = (
        f"{done:,} of {total:,} chunks reviewed, {found or 'no findings'}{' so far' if done < total else ''}"
    )
    return CheckOutput(None, title, f"{title[0].upper()}{title[1:]}.")


def check(outcome: Outcome, rules: Rules, url: str | None, notice: str | None) -> CheckOutput:
    """The end of a check run: what was found, in a table, what was read, and what it cost.

    A finding as severe as `rules.fail_on` fails it, whatever else; one that is not complete ends as
    `rules.partial` says; else it is neutral with findings and a success without.
    """
    head = [*_opening(outcome, url, notice)]
    tail = notes(outcome)
    room = MAX_BODY - _size([*head, *tail])
    return CheckOutput(
        conclusion(outcome, rules),
        _title(outcome),
        bounded("\n\n".join([*head, *_table(outcome.findings, room), *tail])),
    )


def unpublished_check(
    outcome: Outcome, rules: Rules, reason: str, url: str | None = None, notice: str | None = None
) -> CheckOutput:
    """The end of a check run whose findings could not be posted as comments: they are told here in full.

    Args:
        outcome: of the review.
        rules: as for `check`.
        reason: what GitHub said, for people.
        url: of the review's page.
        notice: as for `check`.
    """
    head = [
        f"The comments could not be posted: {cell(reason)}",
        f"{remedy(reason)} Then choose `Review again`. Until then, the findings stand here.",
        *_opening(outcome, url, notice),
    ]
    tail = notes(outcome)
    room = MAX_BODY - _size([*head, *tail])
    table = _table(outcome.findings, room)
    room -= _size(table)
    whole = [told(outcome.findings, room)] if outcome.findings and room > 0 else []
    title = f"{_title(outcome)}; comments could not be posted"
    return CheckOutput(
        conclusion(outcome, rules), title, bounded("\n\n".join([*head, *table, *whole, *tail]))
    )


def remedy(reason: str) -> str:
    """What a person can do when GitHub takes no comment."""
    said = reason.casefold()
    if is_locked(reason):
        return "Unlock the conversation of the pull request."
    if any(word in said for word in ("not accessible", "permission", "403")):
        return (
            "Have an owner accept the app's permissions in the installation's settings: it needs "
            "`Pull requests: Read and write`."
        )
    return (
        "See that the conversation is not locked, that no interaction limit is set, and that the app has "
        "`Pull requests: Read and write`."
    )


def is_locked(reason: str) -> bool:
    """Whether GitHub takes no comment since the conversation is locked."""
    return _LOCKED.search(reason.casefold()) is not None


def conclusion(outcome: Outcome, rules: Rules) -> str:
    """How a check run ends by the rules."""
    if rules.fail_on is not None and any(f.severity.at_least(rules.fail_on) for f in outcome.findings):
        return "failure"
    if is_partial(outcome):
        return rules.partial
    return "neutral" if outcome.findings else "success"


def is_partial(outcome: Outcome) -> bool:
    """Whether something was not reviewed that should have been."""
    lost = {reason for file in outcome.coverage.files for reason in file.not_reviewed}
    return not lost <= _MEANT_TO_BE_LEFT_OUT


def failed_check(reason: str, next_: str) -> CheckOutput:
    """The end of a check run whose review did not happen."""
    return CheckOutput("neutral", "not reviewed", bounded(f"{cell(reason)}\n\n{cell(next_)}"))


def cancelled_check(reason: str) -> CheckOutput:
    """The end of a check run whose review somebody or something stopped."""
    return CheckOutput("cancelled", "stopped", bounded(cell(reason)))


def superseded_check(by: str) -> CheckOutput:
    """The end of a check run whose head was replaced."""
    return CheckOutput("cancelled", "superseded", f"A newer commit, `{by[:12]}`, is reviewed instead.")


def postponed_check(reason: str, wait: float, done: int, left: int) -> CheckOutput:
    """A check run whose review waits for the model."""
    minutes = max(round(wait / 60), 1)
    when = f"{minutes} minute{'' if minutes == 1 else 's'}"
    state = (
        f"{done} of {done + left} chunks are reviewed and kept. The review goes on in about {when} "
        "and asks only for what is missing."
    )
    return CheckOutput(None, f"waits for the model, goes on in {when}", bounded(f"{cell(reason)}\n\n{state}"))


def _opening(outcome: Outcome, url: str | None, notice: str | None) -> list[str]:
    parts = [f"{counts(outcome)}. {coverage(outcome)}."]
    if not outcome.coverage.files:
        parts = ["The pull request changes nothing."]
    if notice:
        parts.append(f"> {cell(notice)}")
    if url:
        parts.append(f"[Watch the review]({url})")
    return parts


def _title(outcome: Outcome) -> str:
    if not outcome.coverage.files:
        return "nothing to review"
    return f"partly reviewed: {counts(outcome)}" if is_partial(outcome) else counts(outcome)


def _table(findings: Sequence[Finding], room: int) -> list[str]:
    if not findings:
        return []
    rows = [f"| {SIGNS[f.severity]} {f.severity} | {code(f.place)} | {cell(f.title)} |" for f in findings]
    kept = fitted(rows, room - len(_TABLE) - 2, lambda left: f"| | | and {left:,} more |")
    return [_TABLE + "\n".join(kept)]


def _size(parts: Sequence[str]) -> int:
    return sum(len(part) + 2 for part in parts)
