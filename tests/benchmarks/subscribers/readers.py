"""Many subscribers in a process of their own: `python -m … URL COUNT TOKEN`.

Each is a bare socket, so that it is the server that is measured. Says `ready` once all are connected, reads
until its input ends, and then prints a `Report`. A line of input makes it forget what it has read so far.
"""

from __future__ import annotations

import gc
import json
import os
import selectors
import socket
import sys
import time
from array import array
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

MARK = b"written at "
_DIGITS = 16
_TOGETHER = 50
_SECONDS = 60.0
_BYTES = 262_144


@dataclass(frozen=True, slots=True)
class Report:
    """Milliseconds, in order, until events that were written were there; and what it took to read them."""

    delays: list[float]
    cpu_seconds: float


def stamp() -> str:
    """The time of this machine's clock, as a reader finds it in an event."""
    return f"{MARK.decode()}{time.monotonic() * 1e6:0{_DIGITS}.0f}"


def say(text: object) -> None:
    """Tell the process that started this one."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _subscribe(url: str, count: int, token: str) -> list[socket.socket]:
    """Sockets whose answers have begun."""
    parts = urlsplit(url)
    assert parts.port is not None
    request = (
        f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: text/event-stream\r\n"
        f"Authorization: Bearer {token}\r\n\r\n"
    ).encode()
    all_: list[socket.socket] = []
    while len(all_) < count:
        some = [socket.create_connection((parts.hostname, parts.port), _SECONDS) for _ in range(_TOGETHER)]
        some = some[: count - len(all_)]
        for one in some:
            one.sendall(request)
        for one in some:
            answer = one.recv(_BYTES)
            if not answer.startswith(b"HTTP/1.1 200 "):
                raise AssertionError(answer[:200])
            one.setblocking(False)
        all_ += some
    return all_


def _read(sockets: list[socket.socket], delays: array[float]) -> Report:
    """Until the input ends."""
    began = time.process_time()
    with selectors.DefaultSelector() as selector:
        for one in (*sockets, sys.stdin):
            selector.register(one, selectors.EVENT_READ)
        buffer = bytearray(_BYTES)
        while True:
            for key, _ in selector.select():
                if not isinstance(key.fileobj, socket.socket):
                    if not os.read(key.fd, _BYTES):
                        return Report(sorted(delays), time.process_time() - began)
                    del delays[:]
                    began = time.process_time()
                    continue
                size = key.fileobj.recv_into(buffer)
                if not size:
                    raise AssertionError("the server has ended a stream")
                at, now = buffer.find(MARK, 0, size), time.monotonic() * 1e3
                while at >= 0:
                    at += len(MARK)
                    delays.append(now - int(buffer[at : at + _DIGITS]) / 1e3)
                    at = buffer.find(MARK, at, size)


def _main(url: str, count: int, token: str) -> None:
    sockets = _subscribe(url, count, token)
    gc.freeze()
    say("ready")
    json.dump(asdict(_read(sockets, array("d"))), sys.stdout)


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
