"""What one review spends: it waits for its own calls before it calls itself out of money."""

from __future__ import annotations

import asyncio

from reviewer.core.budget import Amount, Payer, Scope
from reviewer.core.events import Usage
from reviewer.errors import OverBudget
from reviewer.ports import Budgets, CallRecord, Reservation


class ReviewPurse:
    """The purse of one review.

    A call is reserved at the most it can take, so those under way may leave more than they seem to.

    Attributes:
        usage: of all settled calls.
        cost: of those with a known price, in USD; None if there is none.
        calls: settled so far.
    """

    def __init__(self, budgets: Budgets, payer: Payer) -> None:
        self.usage = Usage()
        self.cost: float | None = None
        self.calls = 0
        self._budgets = budgets
        self._payer = payer
        self._trying = asyncio.Lock()
        self._under_way: set[int] = set()
        self._counted: set[int] = set()
        self._ended = asyncio.Event()

    async def reserve(self, amount: Amount) -> Reservation:
        """Set a part aside; if calls of this review under way may leave enough, wait for them first.

        Raises:
            OverBudget: a cap would be exceeded, and no call is under way that may change that.
        """
        while True:
            # One at a time: a try that is just about to succeed counts as under way for the next
            async with self._trying:
                ended = self._ended  # of a time before the try: an end during it is not missed
                try:
                    reservation = await self._budgets.reserve(self._payer, amount)
                except OverBudget as error:
                    hopeless = not self._under_way and not ended.is_set()
                    if error.scope == Scope.REQUEST or hopeless:
                        raise
                else:
                    self._under_way.add(reservation.id)
                    return reservation
            await ended.wait()

    async def settle(self, reservation: Reservation, call: CallRecord) -> None:
        """Put what a call took in place of what was set aside for it, and keep the record."""
        try:
            await self._budgets.settle(reservation, call)
        finally:
            self.abandon(reservation)
        if reservation.id not in self._counted:
            self._counted.add(reservation.id)
            self.usage += call.usage
            self.calls += 1
            if call.cost is not None:
                self.cost = (self.cost or 0.0) + call.cost

    def abandon(self, reservation: Reservation) -> None:
        """Nobody will settle it: it stays charged, and is waited for no more."""
        self._under_way.discard(reservation.id)
        ended, self._ended = self._ended, asyncio.Event()
        ended.set()
