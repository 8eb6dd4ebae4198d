"""Customers and what they may do."""

import hashlib
import secrets


class NotAllowed(Exception):
    """The user has no right to this."""


def hash_password(password: str) -> str:
    """Salted scrypt, as `salt:hash` in hex."""
    salt = secrets.token_bytes(16)
    digest = hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1)
    return f"{salt.hex()}:{digest.hex()}"


def close_account(user, account, store):
    """Close an account: its owner may, and staff may."""
    if user.id != account.owner and not user.is_staff:
        raise NotAllowed(f"{user.id} may not close account {account.id}")
    store.delete(account.id)
