"""What an engine or a pipeline needs to be put to work, with nothing in the way: no caps, no files."""

from __future__ import annotations

from reviewer.core.batches import Batch
from reviewer.core.budget import Caps, Payer
from reviewer.core.routing import Models, Route
from reviewer.local import LocalBudgets, NoFiles
from reviewer.ports import Sources, Task
from reviewer.spending import ReviewPurse

MODEL = "claude-sonnet-5-5"
ROUTE = Route(MODEL, "code")
MODELS = Models(MODEL)
PAYER = Payer("r", installation=1)


def task(
    batch: Batch,
    *,
    fallback: str | None = None,
    sources: Sources | None = None,
    budgets: LocalBudgets | None = None,
) -> Task:
    """A batch to review."""
    return Task(
        batch=batch,
        fallback=fallback,
        sources=sources or NoFiles(),
        purse=ReviewPurse(budgets or LocalBudgets(Caps()), PAYER),
        repository="octo/shop",
    )
