from __future__ import annotations

import pytest

from reviewer.errors import BadSignature
from webhooks.signature import verify

SECRET = "It's a Secret to Everybody"
GOOD = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"


def test_githubs_own_example_is_accepted():
    assert verify(b"Hello, World!", GOOD, SECRET).raw == b"Hello, World!"


@pytest.mark.parametrize(
    ("body", "header", "secret"),
    [
        (b"Hello, World?", GOOD, SECRET),
        (b"Hello, World!", GOOD, "another"),
        (b"Hello, World!", GOOD, ""),
        (b"Hello, World!", None, SECRET),
        (b"Hello, World!", "", SECRET),
        (b"Hello, World!", GOOD.replace("sha256", "sha1"), SECRET),
        (b"Hello, World!", "sha256=é", SECRET),
    ],
)
def test_anything_else_is_refused(body, header, secret):
    with pytest.raises(BadSignature):
        verify(body, header, secret)
