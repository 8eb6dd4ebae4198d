from __future__ import annotations

import pytest

from reviewer.core.budget import Account, Amount, Cap, Caps, Payer, Scope, Standing, accounts
from reviewer.errors import OverBudget


@pytest.mark.parametrize(
    ("usd", "micros"),
    [(None, 0), (0.0, 0), (0.000001, 1), (0.0000011, 2), (0.1 + 0.2, 300_000), (4.35, 4_350_000)],
)
def test_money_is_counted_in_whole_millionths_rounded_up(usd, micros):
    assert Amount.of(7, usd) == Amount(7, micros)


def test_amounts_add_up_and_are_taken_off():
    assert Amount(1, 2) + Amount(10, 20) - Amount(3, 30) == Amount(8, -8)


@pytest.mark.parametrize(
    ("cap", "holds"),
    [
        (Cap(), True),
        (Cap(10, 20), True),
        (Cap(10), True),
        (Cap(None, 20), True),
        (Cap(9, 20), False),
        (Cap(10, 19), False),
        (Cap(0), False),
    ],
)
def test_a_cap_holds_what_is_not_over_either_of_its_bounds(cap, holds):
    assert cap.holds(Amount(10, 20)) is holds


@pytest.mark.parametrize(
    ("payer", "owned"),
    [
        (Payer("r"), [(Scope.REVIEW, "r")]),
        (Payer("r", 0), [(Scope.REVIEW, "r"), (Scope.INSTALLATION, "0")]),
        (Payer("r", api_key="ci"), [(Scope.REVIEW, "r"), (Scope.API_KEY, "ci")]),
        (Payer("r", 7, "ci"), [(Scope.REVIEW, "r"), (Scope.INSTALLATION, "7"), (Scope.API_KEY, "ci")]),
    ],
)
def test_a_payer_has_an_account_for_each_scope_it_has_an_owner_for(payer, owned):
    assert accounts(payer) == tuple(Account(*account) for account in owned)


def test_each_scope_has_its_own_cap():
    caps = Caps(request=Cap(1), review=Cap(2), installation_day=Cap(3), api_key_day=Cap(4))

    assert [caps.of(scope).tokens for scope in Scope] == [1, 2, 3, 4]


IN_TOKENS = "2,900,000 are spent and 80,000 set aside, and 50,000 more are wanted"
IN_USD = "4.50 are spent and 0.25 set aside, and 0.312501 more are wanted"
ANEW = "it starts anew at midnight UTC, and"


@pytest.mark.parametrize(
    ("scope", "cap", "name", "facts", "help_"),
    [
        (
            Scope.REVIEW,
            Cap(3_000_000),
            "one review",
            f"of 3,000,000 tokens {IN_TOKENS}",
            "BUDGET_REVIEW_TOKENS raises it",
        ),
        (
            Scope.INSTALLATION,
            Cap(None, 5_000_000),
            "the installation's day",
            f"of 5.00 USD {IN_USD}",
            f"{ANEW} BUDGET_INSTALLATION_DAY_USD raises it",
        ),
        (
            Scope.API_KEY,
            Cap(2_000, 1_234_560_000_000),
            "the API key's day",
            f"of 2,000 tokens {IN_TOKENS}",
            f"{ANEW} BUDGET_API_KEY_DAY_TOKENS raises it",
        ),
        (
            Scope.API_KEY,
            Cap(2_000, 1),
            "the API key's day",
            f"of 2,000 tokens {IN_TOKENS}, and of 0.000001 USD {IN_USD}",
            f"{ANEW} BUDGET_API_KEY_DAY_TOKENS and BUDGET_API_KEY_DAY_USD raise it",
        ),
    ],
)
def test_a_refusal_says_which_budget_how_much_of_it_is_gone_and_what_helps(scope, cap, name, facts, help_):
    standing = Standing(scope, Amount(2_900_000, 4_500_000), Amount(80_000, 250_000), cap)

    with pytest.raises(OverBudget) as refused:
        standing.require(Amount(50_000, 312_501))

    assert str(refused.value) == f"the budget of {name} is too small: {facts}; {help_}"
    assert refused.value.scope == scope


def test_one_request_is_held_against_its_own_cap():
    caps = Caps(request=Cap(200_000, 1_000_000))

    caps.require_request(Amount(200_000, 1_000_000))
    with pytest.raises(OverBudget) as refused:
        caps.require_request(Amount(300_000, 1_000_000))

    assert str(refused.value) == (
        "the budget of one request is too small: 300,000 tokens are wanted and 200,000 allowed; "
        "BUDGET_REQUEST_TOKENS raises it"
    )
    assert refused.value.scope == "one request"


def test_what_is_spent_and_what_is_set_aside_both_count_up_to_the_cap_itself():
    standing = Standing(Scope.REVIEW, Amount(50), Amount(30), Cap(100))

    standing.require(Amount(20))
    with pytest.raises(OverBudget):
        standing.require(Amount(21))
