"""Trades of the inter-provincial spot market: money identity, loss, what does not add up (S14 7.3, ruling 5)."""

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.paths import path_cost, rounded_price
from settlement.interprovincial import (
    ROUNDING_GAP_PER_MWH,
    Section,
    Trade,
    daily_cap_factor,
    daily_cap_factors,
    settle_trades,
)

DAY = date(2022, 7, 22)
PATH = [
    Section("NX", "OWN-NX", Decimal(25), Decimal("0.005")),
    Section("YD", "OWN-YD", Decimal("50.8"), Decimal("0.07")),
]
TOLERANCE = Decimal("0.001")


def trade(
    sold: Decimal,
    price: Decimal,
    landed: Decimal | None = None,
    bought: Decimal | None = None,
    **changes: object,
) -> Trade:
    cost = path_cost([(section.tariff, section.loss_rate) for section in PATH])
    received = (sold * cost.coe).quantize(Decimal("0.000001")) if bought is None else bought
    values = {
        "trade_id": "T1",
        "day": DAY,
        "stage": "day_ahead",
        "round_number": 1,
        "period": 73,
        "path_id": "NX-YD",
        "seller_node": "NX",
        "buyer_node": "SD",
        "seller_id": "OUT-NX",
        "buyer_id": "GRID",
        "sell_mw": sold,
        "buy_mw": received,
        "sell_price": price,
        "landed_price": rounded_price(cost.landed(price)) if landed is None else landed,
        "executed_sell_mw": sold,
        "executed_buy_mw": received,
    }
    return Trade(**{**values, **changes})  # type: ignore[arg-type]


def test_a_hand_worked_trade() -> None:
    # 400 MW for a quarter-hour = 100 MWh at 300 元/MWh over 宁夏 (25, 0.5 %) and 银东 (50.8, 7 %)
    # seller 30,000.00; 宁夏 100·0.995·25 = 2,487.50; 银东 100·0.995·0.93·50.8 = 4,700.78
    settled = settle_trades([trade(Decimal(400), Decimal(300))], {("NX-YD", DAY): PATH}, TOLERANCE)
    assert settled.sellers["OUT-NX", "day_ahead", DAY] == (100, 30_000)
    assert settled.owners["OWN-NX", DAY] == (Fraction("99.5"), Fraction("2487.5"))
    assert settled.owners["OWN-YD", DAY] == (Fraction("92.535"), Fraction("4700.778"))
    assert settled.imports["day_ahead", DAY][72] == 92_535_000  # Wh
    assert settled.findings == ()


@given(st.decimals(0, 3000, places=3), st.decimals(0, 10_000, places=3))
def test_the_buyer_pays_seller_and_sections_and_the_shown_price_misses_it_by_its_rounding_only(
    sold: Decimal, price: Decimal
) -> None:
    one = trade(sold, price)
    settled = settle_trades([one], {("NX-YD", DAY): PATH}, TOLERANCE)
    bought = Fraction(sold) / 4 * Fraction("0.92535")
    assert (
        abs(settled.landed_cost - bought * Fraction(one.landed_price)) <= bought * ROUNDING_GAP_PER_MWH
    )  # ruling 5


@given(st.decimals(0, 3000, places=3), st.decimals(0, 10_000, places=3))
def test_the_gap_to_the_shown_price_is_bounded_by_its_rounding_and_the_last_watt(
    sold: Decimal, price: Decimal
) -> None:
    (one,) = settle_trades([trade(sold, price)], {("NX-YD", DAY): PATH}, TOLERANCE).trades
    bound = one.trade.bought_mwh * ROUNDING_GAP_PER_MWH + one.landed_price / 4 * Fraction("0.0000005")
    assert abs(one.shown_gap_cny) <= bound  # ruling 5; executed MW are published to 0.000001


def test_a_landed_price_that_its_path_does_not_give_is_found() -> None:
    wrong = trade(Decimal(400), Decimal(300), landed=Decimal("401.900"))
    found = settle_trades([wrong], {("NX-YD", DAY): PATH}, TOLERANCE).findings
    assert [finding.code for finding in found] == ["landed_price_differs"]  # R23


def test_power_that_its_losses_do_not_leave_is_found() -> None:
    wrong = trade(Decimal(400), Decimal(300), bought=Decimal("371"))
    assert [f.code for f in settle_trades([wrong], {("NX-YD", DAY): PATH}, TOLERANCE).findings] == [
        "trade_loss_differs"
    ]


def test_a_trade_cancelled_by_the_security_check_pays_nothing() -> None:
    settled = settle_trades([trade(Decimal(0), Decimal(300))], {("NX-YD", DAY): PATH}, TOLERANCE)
    assert settled.landed_cost == 0
    assert settled.findings == ()


# --- A path whose costs are not known -------------------------------------------------------------------------


def test_without_sections_the_seller_is_paid_and_the_landed_cost_is_missing() -> None:
    settled = settle_trades(
        [trade(Decimal(400), Decimal(300))], {}, TOLERANCE, owners_of={"NX-YD": frozenset({"OWN-YD"})}
    )
    assert settled.sellers["OUT-NX", "day_ahead", DAY] == (100, 30_000)
    assert settled.imports["day_ahead", DAY][72] == 92_535_000
    assert settled.owners == {}
    assert settled.unknown_owners == {("OWN-YD", DAY)}
    assert settled.landed_cost is None


# --- The daily cap of S14 7.3 d ---------------------------------------------------------------------------------


def test_a_flat_day_at_1800_under_a_cap_of_1500_is_scaled_by_five_sixths() -> None:
    day = [(Fraction(25), Fraction(1800))] * 96
    assert daily_cap_factor(day, Decimal(1500)) == Fraction(5, 6)  # market.md H: k = 0.83333


def test_a_day_whose_mean_meets_the_cap_keeps_its_peaks() -> None:
    # (1,000 · 3 + 3,000 · 1) / 4 = 1,500
    assert (
        daily_cap_factor([(Fraction(3), Fraction(1000)), (Fraction(1), Fraction(3000))], Decimal(1500)) == 1
    )
    # one MWh more at 3,000: (3,000 + 6,000) / 5 = 1,800
    assert daily_cap_factor(
        [(Fraction(3), Fraction(1000)), (Fraction(2), Fraction(3000))], Decimal(1500)
    ) == Fraction(5, 6)


def test_without_energy_or_below_zero_nothing_is_scaled() -> None:
    assert daily_cap_factor([], Decimal(1500)) == 1
    assert daily_cap_factor([(Fraction(0), Fraction(9000))], Decimal(1500)) == 1
    assert daily_cap_factor([(Fraction(10), Fraction(-80))], Decimal(1500)) == 1


def test_a_cap_that_scaling_cannot_meet_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        daily_cap_factor([(Fraction(1), Fraction(1))], Decimal(0))


mwh_and_price = st.tuples(
    st.fractions(0, 1000, max_denominator=4), st.fractions(-100, 10_000, max_denominator=1000)
)


@given(st.lists(mwh_and_price, max_size=8), st.decimals(1, 3000, places=3))
def test_after_scaling_the_daily_mean_never_exceeds_the_cap_and_nothing_is_scaled_up(
    day: list[tuple[Fraction, Fraction]], cap: Decimal
) -> None:
    k = daily_cap_factor(day, cap)
    assert 0 < k <= 1
    energy = sum(q for q, _ in day)
    scaled_value = sum(q * k * p for q, p in day)
    assert scaled_value <= Fraction(cap) * energy  # market.md A.10, invariant (iii)
    assert k == 1 or scaled_value == Fraction(cap) * energy


def _day_at(price: int, **changes: object) -> list[Trade]:
    return [
        trade(Decimal(400), Decimal(price), period=period, trade_id=f"T{period}", **changes)
        for period in (1, 2)
    ]


def test_scaling_lowers_seller_revenue_and_landed_price_and_leaves_transmission() -> None:
    sections = {("NX-YD", DAY): PATH}
    free = settle_trades(_day_at(1800), sections, TOLERANCE)
    capped = settle_trades(_day_at(1800), sections, TOLERANCE, daily_cap=Decimal(1500))
    assert capped.sellers["OUT-NX", "day_ahead", DAY] == (200, 300_000)  # 200 MWh · 1,500
    assert capped.owners == free.owners
    # (1,500 + 24.875 + 47.00778) / 0.92535 = 1,698.690 元/MWh
    assert rounded_price(capped.trades[0].landed_price) == Decimal("1698.690")  # type: ignore[arg-type]
    assert capped.landed_cost == free.landed_cost - 200 * 300  # type: ignore[operator]
    (said,) = capped.findings
    assert (said.code, said.subject) == ("daily_price_cap_applied", f"NX/{DAY}/day_ahead")
    assert free.findings == ()


def test_stages_days_and_nodes_are_capped_apart() -> None:
    dear = _day_at(2000)
    others = [
        trade(Decimal(400), Decimal(100), stage="intraday", trade_id="other stage"),
        trade(Decimal(400), Decimal(100), seller_node="GS", trade_id="other node"),
        trade(Decimal(400), Decimal(100), day=DAY.replace(day=23), trade_id="other day"),
    ]
    factors = daily_cap_factors([*dear, *others], Decimal(1500))
    assert factors.pop(("NX", DAY, "day_ahead")) == Fraction(3, 4)
    assert set(factors.values()) == {Fraction(1)}
