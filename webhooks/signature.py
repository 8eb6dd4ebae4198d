"""Is this body GitHub's? https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from reviewer.errors import BadSignature


@dataclass(frozen=True, slots=True)
class VerifiedBody:
    """Bytes whose signature was checked; only `verify` makes one, and `payloads.parse` takes nothing else."""

    raw: bytes


def verify(raw: bytes, header: str | None, secret: str) -> VerifiedBody:
    """Check the HMAC-SHA256 over the raw bytes against `X-Hub-Signature-256`.

    Raises:
        BadSignature: absent, of another kind, or wrong; always so without a secret.
    """
    if not secret:
        raise BadSignature("no webhook secret is configured, so no delivery can be trusted")
    if not header:
        raise BadSignature("the header X-Hub-Signature-256 is missing; give the webhook a secret")
    expected = "sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), header.encode("utf-8", "replace")):
        raise BadSignature("the signature does not match; GITHUB_WEBHOOK_SECRET differs from GitHub's")
    return VerifiedBody(raw)
