"""How many tokens a text may cost, without asking anybody.

There is no public tokenizer for current models, so tokens are estimated from bytes, at a rate for each family
of tokenizers. The rate begins cautious, low enough to overestimate on diffs, and learns from what calls cost.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum


class Family(StrEnum):
    """Models that share a tokenizer."""

    CLAUDE_5 = "claude-5"
    """Opus from 4.7 on, every 5.x model: about 30 % more tokens for the same text."""
    CLAUDE_4 = "claude-4"
    """The models before."""
    OTHER = "other"
    """A server of one's own."""


# Diffs were measured at 2.9 bytes a token and more on the older tokenizer, which 1.3 divides for the newer;
# an unknown one is taken for the worse of the two
FIRST_RATES = {Family.CLAUDE_5: 2.2, Family.CLAUDE_4: 2.9, Family.OTHER: 2.2}
"""Bytes a token to begin with."""


def size(text: str) -> int:
    """Bytes of a text as a model gets it, at most: what is no Unicode, and NUL, becomes U+FFFD on the way."""
    more = 2 * text.count("\0") if "\0" in text else 0
    return more + (len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass")))


@dataclass(frozen=True, slots=True)
class Estimator:
    """Tokens from bytes."""

    bytes_per_token: float = FIRST_RATES[Family.CLAUDE_5]

    def tokens(self, size_: int) -> int:
        """Tokens that so many bytes cost at most, as far as an estimate can say."""
        return math.ceil(size_ / self.bytes_per_token)

    def room(self, tokens: int) -> int:
        """Bytes that surely fit into so many tokens."""
        return math.floor(tokens * self.bytes_per_token)

    def estimate(self, text: str) -> int:
        """Tokens of a text at most."""
        return self.tokens(size(text))


SMALLEST_SAMPLE = 8_000
"""Bytes below which a call teaches nothing about diffs: most of it is the fixed prompt."""

_MEAN_GAIN, _DEVIATION_GAIN = 1 / 8, 1 / 4  # as TCP smooths its round trips, RFC 6298
_TRUSTED_SAMPLES = 8
# Outside of these a server counts something else, such as only what its cache did not hold
_LOWEST, _HIGHEST = 1.0, 4.5


def plausible(size_: int, tokens: int) -> bool:
    """Whether a tokenizer can have counted so many tokens in so many bytes."""
    return _LOWEST <= size_ / max(tokens, 1) <= _HIGHEST


@dataclass(frozen=True, slots=True)
class Calibration:
    """What the usage of finished calls says about a family of tokenizers.

    Attributes:
        mean: smoothed bytes per token.
        deviation: smoothed distance of single calls from it.
        samples: calls that taught it.
    """

    family: Family
    mean: float
    deviation: float = 0.0
    samples: int = 0

    @classmethod
    def first(cls, family: Family) -> Calibration:
        """Before any call."""
        return cls(family, FIRST_RATES[family])

    def learn(self, size_: int, tokens: int) -> Calibration:
        """With one more call, whose prompt had `size_` bytes and was counted as `tokens` by the server.

        A small prompt, or a count that no tokenizer would give, teaches nothing.
        """
        if size_ < SMALLEST_SAMPLE or not plausible(size_, tokens):
            return self
        seen = size_ / tokens
        if self.samples == 0:
            return replace(self, mean=seen, deviation=seen / 8, samples=1)
        return replace(
            self,
            mean=self.mean + _MEAN_GAIN * (seen - self.mean),
            deviation=self.deviation + _DEVIATION_GAIN * (abs(seen - self.mean) - self.deviation),
            samples=self.samples + 1,
        )

    @property
    def estimator(self) -> Estimator:
        """A cautious one: two deviations below the mean, and not above the first rate on little evidence.

        The rate goes in steps of a tenth, so that the same file is cut the same way from one day to the next.
        """
        rate = max(math.floor((self.mean - 2 * self.deviation) * 10) / 10, _LOWEST)
        if self.samples < _TRUSTED_SAMPLES:
            rate = min(rate, FIRST_RATES[self.family])
        return Estimator(rate)
