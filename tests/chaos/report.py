"""A storm in words: its figures, and which invariants it broke."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tests.chaos.record import Record

_EXAMPLES = 5


def render(record: Record, broken: Mapping[str, Sequence[str]]) -> str:
    """Two columns of figures, then each invariant with some of what breaks it."""
    width = max(map(len, record.figures), default=0)
    rows = [f"{name:<{width}}  {_shown(value)}" for name, value in record.figures.items()]
    return "\n".join([*rows, *_verdicts(record, broken)])


def _verdicts(record: Record, broken: Mapping[str, Sequence[str]]) -> Iterator[str]:
    yield from (f"still open: {matter}" for matter in record.open_matters[:_EXAMPLES])
    for name, examples in broken.items():
        yield f"{'BROKEN' if examples else 'ok    '}  {name}{f', {len(examples)} times:' if examples else ''}"
        yield from (f"          {example}" for example in examples[:_EXAMPLES])


def _shown(value: object) -> str:
    return f"{value:>10,}" if isinstance(value, int | float) else f"{value:>10}"
