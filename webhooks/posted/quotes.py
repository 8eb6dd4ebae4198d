"""What a posted diff will take, held against the budgets before anything of it is stored.

Many posts at once may each find the same money left: what truly bounds them is that every call sets its own
part aside. A review that finds nothing left then ends with what it has, the rest listed as `over budget`.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from reviewer import telling
from reviewer.core.budget import MICROS, Amount, Caps, Payer, Scope, Standing
from reviewer.core.diff import Diff
from reviewer.core.plan import Plan, plan
from reviewer.errors import OverBudget
from reviewer.ports import Clock
from reviewer.store.budgets import PostgresBudgets
from reviewer.wiring import Reviewer
from webhooks.draws import Drawn, Draws
from webhooks.posted.refusals import Refusal


@dataclass(frozen=True, slots=True)
class Account:
    """How a key's day stands; `left` is None where no cap bounds its tokens."""

    used: int
    left: int | None

    @property
    def headers(self) -> dict[str, str]:
        """As answers tell it; what is set aside for calls under way counts as used."""
        told = {"X-Tokens-Used": str(self.used)}
        return told if self.left is None else {**told, "X-Tokens-Remaining": str(self.left)}


class Quotes:
    """Plans posted diffs, and refuses those that no budget holds.

    Args:
        buys: the engine buys what it does; one that does not is refused nothing.
    """

    def __init__(
        self,
        reviewer: Reviewer,
        draws: Draws,
        *,
        budgets: PostgresBudgets,
        caps: Caps,
        clock: Clock,
        buys: bool,
    ) -> None:
        self._reviewer = reviewer
        self._draws = draws
        self._budgets = budgets
        self._caps = caps
        self._clock = clock
        self._buys = buys

    async def account(self, api_key: str) -> Account:
        """How a key's day stands."""
        standing = _of(await self._budgets.standing(Payer("", api_key=api_key)), Scope.API_KEY)
        used = (standing.spent + standing.reserved).tokens
        cap = standing.cap.tokens
        return Account(used, None if cap is None else max(cap - used, 0))

    async def require(self, diff: Diff, payer: Payer) -> Drawn:
        """Hold the estimate for a diff against its payer's budgets; gives what the review is to draw.

        Raises:
            Refusal: 413: one review or one call may not take so much; 429: too little of the day is left.
        """
        drawn = await self._draws.fresh(payer.review)
        if not self._buys:
            return drawn
        # From bytes alone: others that wait to post must not wait for a server that is slow to count
        planned = await asyncio.to_thread(plan, diff, self._reviewer.policy, drawn.limits, drawn.models)
        whole = Amount.of(planned.tokens, telling.price(planned, self._reviewer.engine))
        try:
            for amount in self._calls(planned):
                self._caps.require_request(amount)
            Standing(Scope.REVIEW, Amount(), Amount(), self._caps.review).require(whole)
        except OverBudget as error:
            raise self._refusal(413, error, whole) from error
        try:
            for standing in await self._budgets.standing(payer):
                standing.require(whole)
        except OverBudget as error:
            raise self._refusal(429, error, whole) from error
        return drawn

    def _calls(self, planned: Plan) -> list[Amount]:
        engine = self._reviewer.engine
        tokens = [(batch.route.model, planned.tokens_of(batch)) for batch in planned.batches]
        return [Amount.of(count, engine.price(model, count)) for model, count in tokens]

    def _refusal(self, status: int, error: OverBudget, wanted: Amount) -> Refusal:
        facts = {
            "scope": error.scope,
            "estimated_tokens": wanted.tokens,
            "estimated_cost": wanted.micros / MICROS,
        }
        wait = self._until_midnight() if status == 429 else None
        return Refusal(status, str(error), retry_after=wait, facts=facts)

    def _until_midnight(self) -> int:
        now = self._clock.now().astimezone(UTC)
        midnight = datetime.combine(now.date() + timedelta(days=1), time.min, UTC)
        return max(math.ceil((midnight - now).total_seconds()), 1)


def _of(standings: tuple[Standing, ...], scope: Scope) -> Standing:
    return next(standing for standing in standings if standing.scope is scope)
