"""What stands on a pull request from us: which comments, and which of them have outlived their code. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from reviewer.core.diff import Diff, FileChange
from reviewer.core.findings import Finding
from reviewer.core.headers import FileStatus
from webhooks.publish.marks import fingerprint_in, is_resolved_note
from webhooks.publish.quotes import is_telling, same, stands_in
from webhooks.publish.values import Said


class Posted(Protocol):
    """A comment on lines, or on a file, as GitHub lists it."""

    @property
    def id(self) -> int:
        """GitHub's number."""
        ...

    @property
    def author(self) -> str:
        """A login."""
        ...

    @property
    def by_bot(self) -> bool:
        """GitHub's own word for the account."""
        ...

    @property
    def body(self) -> str:
        """The text with its marks."""
        ...

    @property
    def path(self) -> str:
        """The file, by the name it had when the comment was made."""
        ...

    @property
    def line(self) -> int | None:
        """As of the newest head; None where GitHub calls the comment outdated, or for a whole file."""
        ...

    @property
    def side(self) -> str:
        """RIGHT or LEFT."""
        ...

    @property
    def in_reply_to(self) -> int | None:
        """The id of the comment that began the thread."""
        ...


@dataclass(frozen=True, slots=True)
class Standing:
    """A comment of ours.

    Attributes:
        line: as of the newest head; None where GitHub calls the comment outdated, or for a whole file.
        replied: somebody else has answered it.
        resolved: its thread is, or its text says so.
    """

    id: int
    fingerprint: str
    path: str
    line: int | None
    side: str
    body: str
    replied: bool
    resolved: bool


def standing(
    comments: Iterable[Posted], own_login: str, resolved_ids: Collection[int]
) -> tuple[Standing, ...]:
    """Our comments that say a finding.

    Args:
        comments: all on lines and files of the pull request.
        own_login: of the app, with `[bot]` or without.
        resolved_ids: ids of comments whose thread is resolved.
    """
    listed = list(comments)
    answered = {
        each.in_reply_to for each in listed if each.in_reply_to is not None and not _is_ours(each, own_login)
    }
    found: list[Standing] = []
    for each in listed:
        fingerprint = fingerprint_in(each.body)
        if fingerprint is None or each.in_reply_to is not None or not _is_ours(each, own_login):
            continue
        found.append(
            Standing(
                id=each.id,
                fingerprint=fingerprint,
                path=each.path,
                line=each.line,
                side=each.side,
                body=each.body,
                replied=each.id in answered,
                resolved=each.id in resolved_ids or is_resolved_note(each.body),
            )
        )
    return tuple(found)


def fingerprints(comments: Iterable[Standing]) -> frozenset[str]:
    """The findings not to be said again: all but those that we ourselves called gone, which may come back."""
    return frozenset(each.fingerprint for each in comments if not is_resolved_note(each.body))


def outlived(
    comments: Iterable[Standing], said: Mapping[str, Said], current: Sequence[Finding], diff: Diff
) -> tuple[Standing, ...]:
    """Our comments to be marked resolved: nobody answered them, and their code is gone from the change.

    Args:
        comments: ours.
        said: what is remembered, by fingerprint; a comment of which nothing is known stays.
        current: the findings of the newest head.
        diff: of the newest head.
    """
    still = {finding.fingerprint for finding in current}
    return tuple(
        each
        for each in comments
        if not (each.resolved or each.replied)
        and each.fingerprint not in still
        and each.fingerprint in said
        and _gone(said[each.fingerprint], diff)
    )


def repeated(finding: Finding, comments: Iterable[Standing], said: Mapping[str, Said], diff: Diff) -> bool:
    """Whether a comment of ours says a finding, though its fingerprint is another one.

    That is so when only a neighbouring line changed, or the file got a new name: the comment stands at the
    same line with the same category, or GitHub knows no line for it any more and the quoted text is the same.
    In a thread that a person resolved only the same quoted text is the same finding; what we ourselves called
    gone may come back.
    """
    names = _names(finding.path, diff)
    return any(
        not is_resolved_note(each.body)
        and each.path in names
        and each.side == finding.side
        and (known := said.get(each.fingerprint)) is not None
        and known.category == finding.category
        and (not each.resolved or same(known.quote, finding.quote))
        and _same_place(finding, each, known)
        for each in comments
    )


def _is_ours(comment: Posted, own_login: str) -> bool:
    # An app "name" writes as the bot "name[bot]"; a person's login may be "name"
    return comment.by_bot and _login(comment.author) == _login(own_login)


def _login(name: str) -> str:
    return name.removesuffix("[bot]").casefold()


def _same_place(finding: Finding, comment: Standing, known: Said) -> bool:
    if finding.line is None:
        return comment.line is None and same(known.quote, finding.quote)
    if comment.line is not None and comment.path == finding.path:
        return comment.line == (finding.end_line or finding.line)
    return is_telling(known.quote) and same(known.quote, finding.quote)


def _names(path: str, diff: Diff) -> frozenset[str]:
    """A file's name, and the one it had before."""
    return frozenset({path, *(old for file in diff.files if file.path == path and (old := _before(file)))})


def _gone(said: Said, diff: Diff) -> bool:
    return not any(
        file.unread is not None or stands_in(file, said.side, said.quote)
        for file in diff.files
        if said.path in {file.path, _before(file)}
    )


def _before(file: FileChange) -> str | None:
    """The name a file had; what was copied is a file of its own."""
    return None if file.status is FileStatus.COPIED else file.old_path
