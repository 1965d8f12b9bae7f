"""The sample month under each pass-through policy against keys and shares worked out by hand (market.md A.11).

The keys come from the files through ``month_books``; only the product's lines are taken from the product.
"""

from __future__ import annotations

import pytest
from month_books import Books
from recalculate import settle, share

from jobs.month_calculation import Calculation, calculate
from market.periods import Month
from market.profiles import profile
from settlement.passthrough import CODE

AGENCY = "agency_users"
POLICIES = (AGENCY, "gens_users_1to1", "curve_matching_all", "market_users_by_positive_deviation")

pytestmark = pytest.mark.xdist_group("settled_sample")

Shares = dict[str, tuple[int, int]]  # participant -> fen, Wh of its key


@pytest.fixture(scope="module")
def pool(books: Books) -> int:
    """Fen of gain (negative) or loss of the month, by the long-hand recalculation."""
    return sum(line.fen for (_, code), line in settle(books).items() if code == CODE)


@pytest.fixture(scope="module")
def by_policy(sample_home) -> dict[str, Calculation]:
    base = profile("SD_2022")
    return {
        policy: calculate(
            sample_home,
            Month(2022, 7),
            base.model_copy(
                update={"provincial": base.provincial.model_copy(update={"passthrough_policy": policy})}
            ),
        )
        for policy in POLICIES
    }


def with_keys(fen: int, keys: dict[str, int]) -> Shares:
    return {who: (part, keys[who]) for who, part in share(fen, keys).items()}


def by_hand(policy: str, books: Books, pool: int) -> Shares:
    use = {user: sum(curve) for user, curve in books.use.items()}
    delivered = {unit: sum(curve) for unit, curve in books.generation.items()}
    if policy == AGENCY:
        return with_keys(pool, books.agency_wh)
    if policy == "curve_matching_all":
        return with_keys(pool, use | delivered)
    if policy == "gens_users_1to1":
        half = share(pool, {"generators": 1, "users": 1})
        return with_keys(half["generators"], delivered) | with_keys(half["users"], use)
    above = {
        user: sum(max(q - d, 0) for q, d in zip(curve, books.bought_day_ahead[user], strict=True))
        for user, curve in books.use.items()
    }
    return with_keys(pool, above)


def lines(done: Calculation, code: str) -> Shares:
    return {
        line.participant_id: (line.amount_fen, line.quantity_wh)
        for line in done.result.lines
        if line.charge_code == code
    }


@pytest.mark.parametrize("policy", POLICIES)
def test_every_payer_bears_its_share_to_the_fen(policy, by_policy, books, pool):
    assert lines(by_policy[policy], CODE) == by_hand(policy, books, pool)


@pytest.mark.parametrize("policy", POLICIES)
def test_the_month_balances_to_the_fen(policy, by_policy, pool):
    result = by_policy[policy].result
    assert sum(posting.amount_fen for posting in result.postings) == 0
    closing = {balance.account: balance.closing_fen for balance in result.accounts}
    open_accounts = {code for code, fen in closing.items() if fen and not code.startswith("participant:")}
    # the standard of starts collects less than they cost; the agency result carries forward
    assert open_accounts <= {"rounding", "startup", "agency_result"}
    assert sum(fen for fen, _ in lines(by_policy[policy], CODE).values()) == pool != 0


def test_only_the_gain_or_loss_and_what_passes_it_on_differ_between_policies(by_policy):
    """What a retailer or the agency book bears of it is covered by the bills of its users."""
    moved = {CODE, "retail_cost", "retail_margin", "agency_cost"}
    rest = [
        {line for line in done.result.lines if line.charge_code not in moved} for done in by_policy.values()
    ]
    assert all(other == rest[0] for other in rest)


def test_no_policy_lacks_a_key_in_the_sample(by_policy):
    said = {finding.code for done in by_policy.values() for finding in done.findings}
    assert "passthrough_key_zero" not in said
