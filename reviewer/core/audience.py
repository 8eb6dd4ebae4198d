"""Whose a review is, and who may follow it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ConfigDict


class Audience(BaseModel):
    """Whose a review is: of an installation's repository, or of the key that asked for it.

    Attributes:
        installation: of the repository; None for a diff that was posted.
        repository_id: its number, which no renaming changes.
        api_key: of the key; None where no key asked.
    """

    model_config = ConfigDict(frozen=True)

    installation: int | None = None
    repository_id: int | None = None
    api_key: str | None = None


@dataclass(frozen=True, slots=True)
class Sight:
    """What somebody may see: everything, or what belongs to some installations, repositories and keys."""

    everything: bool = False
    installations: frozenset[int] = frozenset()
    repository_ids: frozenset[int] = frozenset()
    api_keys: frozenset[str] = frozenset()

    def sees(self, audience: Audience) -> bool:
        """Whether what has this audience may be seen; what has none is for those who see everything."""
        return (
            self.everything
            or audience.installation in self.installations
            or audience.repository_id in self.repository_ids
            or audience.api_key in self.api_keys
        )

    def values(self) -> dict[str, Any]:
        """As queries take it."""
        return {
            "everything": self.everything,
            "installations": sorted(self.installations),
            "repository_ids": sorted(self.repository_ids),
            "api_keys": sorted(self.api_keys),
        }


EVERYTHING: Final = Sight(everything=True)
"""The operator's."""
