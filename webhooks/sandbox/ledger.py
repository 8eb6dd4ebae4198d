"""Writes down every call, lets faults happen, and finds repositories by their number."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import re
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from webhooks.sandbox.state import Fault, RequestRecord, State

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_BY_NUMBER = re.compile(r"/repositories/(\d+)(?=/|$)")


class Ledger:
    """Stands before the app of a state, right behind the server."""

    def __init__(self, app: ASGIApp, state: State) -> None:
        self._app = app
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        call = _Call(self._state, scope)
        if scope["method"] not in _READING:
            receive = await call.read(receive)
        fault = self._fault(scope["method"], scope["path"])
        if fault is not None and await self._suffer(fault, call, receive, send):
            return
        await self._app(self._by_name(scope), receive, call.noting(send))

    def _fault(self, method: str, path: str) -> Fault | None:
        """The fault that is meant for a call."""
        state = self._state
        fault = next((each for each in state.faults if each.matches(method, path)), None)
        if fault is not None:
            fault.times -= 1
        elif state.chaos is not None:
            fault = state.chaos(method, path)
        return fault

    async def _suffer(self, fault: Fault, call: _Call, receive: Receive, send: Send) -> bool:
        """Let a fault happen; whether the call is over with it."""
        if fault.delay:
            await asyncio.sleep(fault.delay)
        if fault.only_late:
            return False
        if fault.after:
            await self._app(self._by_name(call.scope), receive, call.swallow)
        if fault.drop:
            call.note(0)
            await _cut(receive, send)
            return True
        body = fault.body if fault.body is not None else {"message": "a fault of the sandbox"}
        answer = JSONResponse(body, status_code=fault.status, headers=fault.headers)
        await answer(call.scope, receive, call.noting(send))
        return True

    def _by_name(self, scope: Scope) -> Scope:
        """The scope, its path with the name of the repository whose number it has."""
        found = _BY_NUMBER.match(scope["path"])
        repository = self._state.repository_by_id(int(found[1])) if found else None
        if found is None or repository is None:
            return scope
        path = f"/repos/{repository.full_name}{scope['path'][found.end() :]}"
        return {**scope, "path": path, "raw_path": path.encode()}


class _Call:
    """A call under way."""

    def __init__(self, state: State, scope: Scope) -> None:
        self.scope = scope
        self._state = state
        self._at = state.ticks()
        self._body: Any = None
        self._acted: int | None = None

    async def read(self, receive: Receive) -> Receive:
        """Read the body, and give a `receive` that tells it once more."""
        pieces: list[bytes] = []
        while (message := await receive())["type"] == "http.request":
            pieces.append(message.get("body", b""))
            if not message.get("more_body"):
                break
        whole = b"".join(pieces)
        try:
            self._body = json.loads(whole)
        except ValueError:
            self._body = None
        told = False

        async def again() -> Message:
            nonlocal told
            if told:
                return await receive()
            told = True
            return {"type": "http.request", "body": whole, "more_body": False}

        return again

    async def swallow(self, message: Message) -> None:
        """Take an answer that is lost on its way."""
        if message["type"] == "http.response.start":
            self._acted = message["status"]

    def noting(self, send: Send) -> Send:
        """A `send` that writes the call down when its answer is whole, but before the caller has it."""
        status = 0
        pieces: list[bytes] = []

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "http.response.body":
                if status >= 400:
                    pieces.append(message.get("body", b""))
                if not message.get("more_body"):
                    self.note(status, b"".join(pieces).decode(errors="replace"))
            await send(message)

        return note

    def note(self, status: int, said: str = "") -> None:
        """Write the call down."""
        self._state.requests.append(
            RequestRecord(
                method=self.scope["method"],
                path=self.scope["path"],
                status=status,
                query=self.scope["query_string"].decode(),
                installation=self._installation(),
                at=self._at,
                ended=self._state.ticks(),
                body=self._body,
                said=said,
                acted=self._acted,
            )
        )

    def _installation(self) -> int | None:
        scheme, _, secret = Headers(scope=self.scope).get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                secret = base64.b64decode(secret, validate=True).decode().partition(":")[2]
            except (binascii.Error, UnicodeDecodeError):
                return None
        token = self._state.tokens.get(secret)
        if token is not None:
            return token.installation_id
        return 0 if secret.count(".") == 2 and scheme == "Bearer" else None


async def _cut(receive: Receive, send: Send) -> None:
    """End the connection without an answer. ASGI has no word for that, so the server's transport is asked."""
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if not isinstance(transport, asyncio.Transport):
        raise ConnectionResetError("the sandbox can cut connections under uvicorn only")
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass
