"""A server in a process of its own, so that its work is not its clients': prints its port, and serves.

`/replay/SIZE/v1/messages` sends a message of so many characters that was made before, in pieces of a TCP
segment. `/paced/v1/messages` writes one as a model does, and the time into each finding as it is closed.
"""

from __future__ import annotations

import json
import random
import re
import socketserver
import sys
import time
from collections.abc import Iterator
from functools import cache
from itertools import count

from tests.benchmarks.streaming import material

SEGMENT = 1_460
SEGMENT_SECONDS = 0.0005
"""Between two segments of a replay: a client is done with one before the next comes."""

DELTAS_A_SECOND = 50.0
SECONDS = 10.0
_TOGETHER_SECONDS = 0.002  # deltas that are nearer than this come at once

_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nrequest-id: req_made_up\r\n"
    b"Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n"
)
_MISSING = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
_END = b"0\r\n\r\n"
_FILE = re.compile(r"shop/part_\d\d/orders\.py")
_LENGTH = re.compile(r"content-length: *(\d+)", re.IGNORECASE)


def _framed(*events: bytes) -> bytes:
    """Events as the API sends them: each an HTTP chunk of its own."""
    return b"".join(b"%x\r\n%b\r\n" % (len(event), event) for event in events)


@cache
def _segments(size: int) -> list[bytes]:
    whole = _HEAD + _framed(*material.events(material.findings_text(size))) + _END
    return [whole[at : at + SEGMENT] for at in range(0, len(whole), SEGMENT)]


def _pieces(file: str) -> Iterator[str | None]:
    """Deltas without end; None is the one that closes a finding by its title."""
    yield '{"findings": ['
    for number in count():
        text = json.dumps(material.finding(file, number % material.LINES + 1))[:-1]
        begun = (", " if number else "") + text + ', "title": "written at '
        yield from (begun[at : at + material.CHARS] for at in range(0, len(begun), material.CHARS))
        yield None


def _closing() -> str:
    return f'{time.monotonic() * 1e6:.0f}"}}'


class _Connection(socketserver.StreamRequestHandler):
    """A connection, which may ask many times."""

    disable_nagle_algorithm = True

    def handle(self) -> None:
        while head := self._head():
            length = _LENGTH.search(head)
            body = self.rfile.read(int(length[1]) if length else 0)
            target = head.split(" ", 2)[1]
            if not target.endswith("/v1/messages"):
                self.wfile.write(_MISSING)
            elif target.startswith("/paced/"):
                self._write_as_a_model(_FILE.findall(body.decode())[0])
            else:
                self._replay(int(target.split("/")[2]))

    def _head(self) -> str:
        lines: list[str] = []
        while (line := self.rfile.readline().decode()).strip():
            lines.append(line)
        return "".join(lines)

    def _replay(self, size: int) -> None:
        for segment in _segments(size):
            self.wfile.write(segment)
            time.sleep(SEGMENT_SECONDS)

    def _write_as_a_model(self, file: str) -> None:
        self.wfile.write(_HEAD + _framed(*material.opening()))
        due = time.monotonic() + random.uniform(0, 1)
        end = due + SECONDS
        for piece in _pieces(file):
            due += random.expovariate(DELTAS_A_SECOND)
            if due - time.monotonic() > _TOGETHER_SECONDS:
                time.sleep(due - time.monotonic())
            self.wfile.write(_framed(material.delta(_closing() if piece is None else piece)))
            if piece is None and due > end:
                break
        self.wfile.write(_framed(material.delta("]}"), *material.closing()) + _END)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128


def main() -> None:
    """Serve."""
    with _Server(("127.0.0.1", 0), _Connection) as server:
        sys.stdout.write(f"{server.server_address[1]}\n")
        sys.stdout.flush()
        server.serve_forever()


if __name__ == "__main__":
    main()
