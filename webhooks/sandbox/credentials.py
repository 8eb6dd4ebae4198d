"""What a call shows to say who it is."""

from __future__ import annotations

import base64
import binascii

from starlette.requests import Request

from webhooks.sandbox.refusals import Refusal


def bearer(request: Request) -> str:
    """The token of Bearer authentication."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme != "Bearer" or not token:
        raise Refusal(401, "Requires authentication")
    return token


def password(request: Request) -> str:
    """The token of Basic authentication, whose user is always `x-access-token`."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    try:
        user, _, token = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        user, token = "", ""
    if scheme.lower() != "basic" or user != "x-access-token" or not token:
        raise Refusal(401, "Requires authentication")
    return token
