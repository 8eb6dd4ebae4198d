"""Positions in the feed as clients get to see them.

A position counts what everybody's reviews have said. So it goes out encrypted: no two can be compared, and a
gap between them is nowhere to be seen.
"""

from __future__ import annotations

import base64
import binascii

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from starlette.exceptions import HTTPException

_BLOCK = 16
_ZEROS = bytes(8)


class Cursors:
    """Writes and reads them with one key of 32 bytes."""

    def __init__(self, key: bytes) -> None:
        # One block each, and never the same position twice under two texts: no mode is needed
        self._cipher = Cipher(AES(key), ECB())  # noqa: S305

    def write(self, position: int) -> str:
        """The text that stands for a position: always the same."""
        block = self._cipher.encryptor().update(position.to_bytes(8, "big") + _ZEROS)
        return base64.urlsafe_b64encode(block).rstrip(b"=").decode()

    def read(self, text: str) -> int:
        """The position that a text stands for.

        Raises:
            HTTPException: 400, it is none of ours.
        """
        try:
            block = base64.b64decode(text.encode("ascii") + b"==", altchars=b"-_", validate=True)
        except (UnicodeEncodeError, binascii.Error):
            block = b""
        if len(block) == _BLOCK:
            plain = self._cipher.decryptor().update(block)
            position = int.from_bytes(plain[:8], "big")
            if plain[8:] == _ZEROS and position < 2**63 and self.write(position) == text:
                return position
        raise HTTPException(400, "Last-Event-ID is no id of an event of ours; leave it out to begin anew")
