"""The judge between the app and the sandbox: notes what passes, and says what GitHub would not know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.contracts import description, rules
from tests.contracts.exchanges import JSON_TYPE, Exchange, Violation


class Judge:
    """Wraps the sandbox's app with `judge.over(app)`; judges when asked, so calls wait for nothing.

    Attributes:
        unjudged: how many requests or answers, by method and path, the description does not speak about.
        exchanges: all that passed.
    """

    def __init__(self) -> None:
        self.unjudged: Counter[str] = Counter()
        self.exchanges: list[Exchange] = []
        self._judged = 0
        self._found: list[Violation] = []

    def over(self, app: ASGIApp) -> ASGIApp:
        """The app, with all that passes noted."""

        async def noting(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            tape = _Tape(receive, send)
            await tape.read()
            try:
                await app(scope, tape.receive, tape.send)
            finally:
                self.exchanges.append(tape.exchange(scope))

        return noting

    @property
    def violations(self) -> list[Violation]:
        """All that GitHub would not have sent or taken, so far."""
        while self._judged < len(self.exchanges):
            self._found += self._judge(self.exchanges[self._judged])
            self._judged += 1
        return self._found

    def demand_none(self) -> None:
        """Fail with every violation told, if there is one."""
        told = sorted({str(violation) for violation in self.violations})
        assert not told, "\n".join([f"{len(told)} violations of GitHub's description:", *told])

    def _judge(self, exchange: Exchange) -> Iterator[Violation]:
        if description.leaves_out(exchange):
            self.unjudged[f"{exchange.method} {exchange.path}"] += 1
            return
        problems = [*description.request_problems(exchange), *rules.request_problems(exchange)]
        yield from (Violation(exchange, "request", reason) for reason in problems)
        # Diffs and raw files are no JSON, and a 5xx may be of any machine between us and GitHub
        if not exchange.has_json_answer or not 0 < exchange.status < 500:
            self.unjudged[f"answer of {exchange.method} {exchange.path}"] += 1
            return
        yield from (Violation(exchange, "answer", reason) for reason in description.answer_problems(exchange))


class _Tape:
    """Both bodies of one call, kept while they pass."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._sent, self._answer = bytearray(), bytearray()
        self._start: Message = {"status": 0}
        self._unheard: list[Message] = []

    async def read(self) -> None:
        """Take the whole request: an app that refuses it may not read its body."""
        while not self._unheard or self._unheard[-1].get("more_body"):
            self._unheard.append(await self._receive())
            self._sent += self._unheard[-1].get("body", b"")
        self._unheard.reverse()

    async def receive(self) -> Message:
        return self._unheard.pop() if self._unheard else await self._receive()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
        self._answer += message.get("body", b"")
        await self._send(message)

    def exchange(self, scope: Scope) -> Exchange:
        """What passed."""
        answer_type = _media_type(Headers(raw=self._start.get("headers", [])))
        return Exchange(
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"],
            sent_type=_media_type(Headers(scope=scope)),
            sent=bytes(self._sent),
            status=self._start["status"],
            answer_type=answer_type,
            answer=bytes(self._answer) if answer_type == JSON_TYPE else b"",
        )


def _media_type(headers: Headers) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()
