"""The sandbox as a person uses it: add a repository, open a pull request, push to it."""

from __future__ import annotations

from typing import Self

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from webhooks.sandbox.people.checks import OnChecks
from webhooks.sandbox.people.logins import OnLogins
from webhooks.sandbox.people.owners import OnOwned
from webhooks.sandbox.people.pulls import OnPulls
from webhooks.sandbox.people.talk import OnTalk
from webhooks.sandbox.state import State


class Sandbox(OnOwned, OnPulls, OnTalk, OnChecks, OnLogins):
    """A GitHub with one app on it."""

    @classmethod
    def create(cls, *, webhook_secret: str, webhook_url: str | None) -> Self:
        """A GitHub without repositories, and a new key for its app."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return cls(
            State(
                app_id=1,
                client_id="Iv23sandbox",
                slug="sluice",
                private_key_pem=private.decode(),
                public_key_pem=public.decode(),
                webhook_secret=webhook_secret,
                webhook_url=webhook_url,
            )
        )
