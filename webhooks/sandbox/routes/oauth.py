"""Logging in through GitHub: the pages of its web flow, which no API description speaks of.

https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import URL
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from webhooks.sandbox.access import Gate
from webhooks.sandbox.logins import ACCESS_LIFE, REFRESH_LIFE, Login
from webhooks.sandbox.refusals import Refusal, read_object
from webhooks.sandbox.state import FORM, JSON, State

_DOCS = (
    "https://docs.github.com/apps/managing-oauth-apps/troubleshooting-oauth-app-access-token-request-errors"
)
_WORDS: Mapping[str, str] = {
    "access_denied": "The user has denied your application access.",
    "redirect_uri_mismatch": "The redirect_uri MUST match the registered callback URL for this application.",
    "invalid_request": "The code_challenge must be 43 characters long, and its method S256.",
    "incorrect_client_credentials": "The client_id and/or client_secret passed are incorrect.",
    "bad_verification_code": "The code passed is incorrect or expired.",
    "bad_refresh_token": "The refresh token passed is incorrect or expired.",
    "unsupported_grant_type": "The grant_type is none that is known.",
}
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


class _Failure(Exception):
    """What the flow refuses; the message is GitHub's name for it."""

    def body(self) -> dict[str, str]:
        name = str(self)
        return {"error": name, "error_description": _WORDS[name], "error_uri": f"{_DOCS}/#{name}"}


def routes(gate: Gate) -> list[Route]:
    """The two routes of the flow."""
    state = gate.state

    async def authorize(request: Request) -> Response:
        asked = request.query_params
        if asked.get("client_id") != state.client_id or not state.callback_urls:
            raise Refusal(404, "Not Found")
        back = state.callback_urls[0]
        try:
            back = _redirect_uri(state, asked.get("redirect_uri"))
            told = _authorize(state, back, asked)
        except _Failure as failure:
            told = failure.body()
        if told is None:
            return PlainTextResponse("Sign in to GitHub: nobody is signed in on this sandbox.")
        given = {"state": asked["state"]} if "state" in asked else {}
        return RedirectResponse(str(URL(back).include_query_params(**told, **given)), status_code=302)

    async def access_token(request: Request) -> Response:
        try:
            told = _shape(_grant(state, await _sent(request)))
        except _Failure as failure:
            told = failure.body()
        if JSON in request.headers.get("accept", ""):
            return JSONResponse(told)
        return Response(urlencode(told), media_type=FORM)

    return [
        Route("/login/oauth/authorize", authorize),
        Route("/login/oauth/access_token", access_token, methods=["POST"]),
    ]


def _authorize(state: State, back: str, asked: Mapping[str, str]) -> dict[str, str] | None:
    """What the person who is signed in brings back; None if nobody is."""
    challenge = asked.get("code_challenge")
    if challenge is not None and (
        asked.get("code_challenge_method") != "S256" or _CHALLENGE.fullmatch(challenge) is None
    ):
        raise _Failure("invalid_request")
    if state.logins.signed_in is None:
        return None
    if state.logins.declines:
        raise _Failure("access_denied")
    return {"code": state.logins.issue_code(state.logins.signed_in, back, challenge).text}


def _redirect_uri(state: State, wanted: str | None) -> str:
    """Where to send the person: the first callback, one that is registered, or a path below one."""
    if wanted is None:
        return state.callback_urls[0]
    if not any(_falls_under(wanted, each) for each in state.callback_urls):
        raise _Failure("redirect_uri_mismatch")
    return wanted


def _falls_under(wanted: str, registered: str) -> bool:
    there, here = urlsplit(wanted), urlsplit(registered)
    if (there.scheme, there.netloc) != (here.scheme, here.netloc) or ".." in there.path.split("/"):
        return False
    folder = here.path.rstrip("/")
    return there.path == here.path or there.path.startswith(f"{folder}/")


async def _sent(request: Request) -> dict[str, Any]:
    """The parameters of a call: in the query, as a form or as JSON."""
    sent: dict[str, Any] = dict(request.query_params)
    if request.headers.get("content-type", "").startswith(JSON):
        return sent | await read_object(request)
    return sent | dict(parse_qsl((await request.body()).decode(errors="replace")))


def _grant(state: State, sent: Mapping[str, Any]) -> Login:
    if (sent.get("client_id"), sent.get("client_secret")) != (state.client_id, state.client_secret):
        raise _Failure("incorrect_client_credentials")
    kind = sent.get("grant_type", "authorization_code")
    if kind == "refresh_token":
        return _good(state.logins.renew(str(sent.get("refresh_token", ""))), "bad_refresh_token")
    if kind != "authorization_code":
        raise _Failure("unsupported_grant_type")
    text = str(sent.get("code", ""))
    code = state.logins.codes.get(text)
    if code is not None and sent.get("redirect_uri", code.redirect_uri) != code.redirect_uri:
        raise _Failure("redirect_uri_mismatch")
    return _good(state.logins.redeem(text, sent.get("code_verifier")), "bad_verification_code")


def _good(login: Login | None, otherwise: str) -> Login:
    if login is None:
        raise _Failure(otherwise)
    return login


def _shape(login: Login) -> dict[str, Any]:
    told: dict[str, Any] = {"access_token": login.access, "token_type": "bearer", "scope": ""}
    if login.refresh is None:
        return told
    return told | {
        "expires_in": int(ACCESS_LIFE.total_seconds()),
        "refresh_token": login.refresh,
        "refresh_token_expires_in": int(REFRESH_LIFE.total_seconds()),
    }
