"""How many tokens a text may cost, without asking anybody.

There is no public tokenizer for current models. Bytes divided by a cautious ratio overestimates on diffs,
which is the side to err on when packing.
"""

from __future__ import annotations

import math

BYTES_PER_TOKEN = 2.2
"""Diffs run at 2.2 to 2.6 bytes a token on the tokenizer of the 5.x models; the lowest packs safely."""


def estimate(text: str, *, bytes_per_token: float = BYTES_PER_TOKEN) -> int:
    """Tokens `text` costs at most, as far as an estimate can say."""
    return math.ceil(len(text.encode("utf-8", "surrogateescape")) / bytes_per_token)
