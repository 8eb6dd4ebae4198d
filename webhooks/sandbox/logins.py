"""People who log in to the app through GitHub: their codes and tokens.

https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import string
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from webhooks.sandbox.records import User

CODE_LIFE = timedelta(minutes=10)
ACCESS_LIFE = timedelta(hours=8)
REFRESH_LIFE = timedelta(days=184)

_LETTERS = string.ascii_letters + string.digits
_MADE_UP = "madeUp"
"""In every token, so that nobody takes one for a secret."""


@dataclass(frozen=True, slots=True)
class Code:
    """What a person brings back from GitHub; good once."""

    text: str
    user: User
    redirect_uri: str
    challenge: str | None
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Login:
    """A person's tokens; without an end, and without a refresh token, where the app opted out of that."""

    user: User
    access: str
    refresh: str | None
    expires_at: datetime | None
    refresh_expires_at: datetime | None


@dataclass
class Logins:
    """All of them.

    Attributes:
        clock: of the sandbox.
        signed_in: who sits at the browser that GitHub sends on; None: nobody.
        declines: they refuse the app what it asks.
        expire: user tokens do, as is GitHub's default; else the app opted out.
    """

    clock: Callable[[], datetime]
    signed_in: User | None = None
    declines: bool = False
    expire: bool = True
    codes: dict[str, Code] = field(default_factory=dict[str, Code])
    logins: list[Login] = field(default_factory=list[Login])

    def find(self, access: str) -> User | None:
        """Whose token that is, if it is good now."""
        now = self.clock()
        for login in self.logins:
            if login.access == access and (login.expires_at is None or login.expires_at > now):
                return login.user
        return None

    def issue_code(self, user: User, redirect_uri: str, challenge: str | None) -> Code:
        """A fresh code."""
        text = secrets.token_hex(10)
        self.codes[text] = Code(text, user, redirect_uri, challenge, self.clock() + CODE_LIFE)
        return self.codes[text]

    def redeem(self, text: str, verifier: str | None) -> Login | None:
        """The tokens for a code; None where it is unknown, used or old, or the verifier is not its own."""
        code = self.codes.pop(text, None)
        if code is None or code.expires_at <= self.clock() or not _proves(verifier, code.challenge):
            return None
        return self._issue(code.user)

    def renew(self, refresh: str) -> Login | None:
        """New tokens for a refresh token, which dies with its access token; None where it is not good."""
        found = next((each for each in self.logins if refresh and each.refresh == refresh), None)
        if found is None:
            return None
        self.logins.remove(found)
        ends = found.refresh_expires_at
        return None if ends is not None and ends <= self.clock() else self._issue(found.user)

    def revoke(self, user: User) -> None:
        """Take from the app all that a person gave it."""
        self.logins = [each for each in self.logins if each.user != user]
        self.codes = {text: code for text, code in self.codes.items() if code.user != user}

    def _issue(self, user: User) -> Login:
        now, ends = self.clock(), self.expire
        login = Login(
            user=user,
            access=_token("ghu", 36),
            refresh=_token("ghr", 76) if ends else None,
            expires_at=now + ACCESS_LIFE if ends else None,
            refresh_expires_at=now + REFRESH_LIFE if ends else None,
        )
        self.logins.append(login)
        return login


def _proves(verifier: str | None, challenge: str | None) -> bool:
    """Whether a verifier is the one that a challenge was made of; where there is none, nothing is asked."""
    if challenge is None:
        return True
    digest = hashlib.sha256((verifier or "").encode()).digest()
    made = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    return verifier is not None and hmac.compare_digest(made, challenge)


def _token(kind: str, length: int) -> str:
    rest = "".join(secrets.choice(_LETTERS) for _ in range(length - len(_MADE_UP)))
    return f"{kind}_{_MADE_UP}{rest}"
