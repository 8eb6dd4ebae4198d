"""Does a call fit? Decided before it is sent: a refusal by the server costs a round trip and a try."""

from __future__ import annotations

from reviewer.core.plan import DOUBT
from reviewer.errors import PromptTooLarge

WINDOW_REMEDY = "set LLM_CONTEXT_WINDOW to what the model really holds"

SMALLEST_ANSWER = 1_000
"""Output tokens without which an answer is not worth asking for."""


def judge(
    prompt: int, *, window: int, max_tokens: int, sure: bool = False, remedy: str = WINDOW_REMEDY
) -> int | None:
    """Output tokens to ask for, or None when the prompt is too near to the limit to tell from an estimate.

    Args:
        prompt: tokens of the prompt, estimated or counted.
        window: tokens of context that the model has for prompt and answer.
        max_tokens: output tokens wanted at most.
        sure: `prompt` is the server's own count, or there is none to be had; the answer is never None then.
        remedy: what a person can do when it can't fit.

    Raises:
        PromptTooLarge: it can't fit.
    """
    room = window - prompt
    if not sure and abs(room - SMALLEST_ANSWER) <= DOUBT * window:
        return None
    if room < SMALLEST_ANSWER:
        raise PromptTooLarge(
            f"the prompt takes {prompt:,} tokens and an answer {SMALLEST_ANSWER:,} at least, but there is "
            f"room for {window:,}; {remedy}"
        )
    return min(max_tokens, room)
