"""What may happen to deliveries on their way: late, twice, in another order, not at all."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field, replace
from uuid import uuid4

from webhooks.sandbox.deliveries import post
from webhooks.sandbox.state import DeliveryRecord, State


@dataclass
class Mischief:
    """Plays with deliveries by chance; what is drawn follows from the seed and the order of deliveries.

    Attributes:
        seed: of the chance.
        twice: share that is delivered a second time, under the same id.
        doubled: share whose event is told once more under an id of its own, as GitHub does to some pushes.
        swapped: share that waits until the next delivery has gone.
        late: share that comes up to `longest` seconds later.
        lost: share that fails to reach the app; GitHub records it, and does not try again by itself.
    """

    seed: int
    twice: float = 0.0
    doubled: float = 0.0
    swapped: float = 0.0
    late: float = 0.0
    lost: float = 0.0
    longest: float = 0.2
    _dice: random.Random = field(init=False, repr=False)
    _held: list[DeliveryRecord] = field(default_factory=list[DeliveryRecord], init=False, repr=False)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]], init=False, repr=False)

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)  # noqa: S311 - for a play, not for a secret

    async def carry(self, state: State, record: DeliveryRecord) -> None:
        """Post a recorded delivery, or see to it that it is posted."""
        names = ("twice", "doubled", "swapped", "late", "lost")
        fate = {name for name in names if self._dice.random() < getattr(self, name)}
        wait = self._dice.random() * self.longest
        if "lost" in fate:
            record.status = "failed to connect to host"
            return
        copies = [record]
        if "twice" in fate:
            copies.append(_recorded(state, replace(record, id=state.next_id(), redelivery=True)))
        if "doubled" in fate:
            copies.append(_recorded(state, _renamed(state, record)))
        held, self._held = self._held, []
        if "swapped" in fate and not held:
            self._held = copies
        elif "late" in fate:
            self._start(state, [*copies, *held], wait)
        else:
            await _post(state, [*copies, *held])

    async def settle(self, state: State) -> None:
        """Wait until nothing is on its way any more."""
        held, self._held = self._held, []
        await _post(state, held)
        while self._tasks:
            await asyncio.gather(*self._tasks)

    def _start(self, state: State, records: list[DeliveryRecord], wait: float) -> None:
        async def later() -> None:
            await asyncio.sleep(wait)
            await _post(state, records)

        task = asyncio.create_task(later(), name="a late delivery")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _post(state: State, records: list[DeliveryRecord]) -> None:
    for record in records:
        await post(state, record)


def _recorded(state: State, record: DeliveryRecord) -> DeliveryRecord:
    state.deliveries.append(record)
    return record


def _renamed(state: State, record: DeliveryRecord) -> DeliveryRecord:
    """The same event as a delivery of its own."""
    guid = str(uuid4())
    headers = {**record.request_headers, "X-GitHub-Delivery": guid}
    return replace(record, id=state.next_id(), guid=guid, request_headers=headers)
