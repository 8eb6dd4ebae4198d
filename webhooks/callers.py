"""Who calls, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass

from reviewer.core.audience import Sight


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who has shown who they are.

    Attributes:
        id: the same for the same caller: `operator`, `token ID` or `user ID`.
        name: for people.
        sight: what they may read.
        acts: what they may cancel and run again.
        api_key: whose budget pays for diffs they post; None: they may post none.
        pays: the installation whose budget pays for them too.
        csrf: what a change must carry that comes with a cookie; None for callers that show a bearer token.
        credential: hash of what was shown, to look whether it still holds.
    """

    id: str
    name: str
    sight: Sight
    acts: Sight
    api_key: str | None
    pays: int | None
    csrf: str | None
    credential: bytes
