"""Trades of the inter-provincial spot market: money identity, loss, what does not add up (S14 7.3, ruling 5)."""

from datetime import date
from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from market.paths import path_cost, rounded_price
from settlement.interprovincial import ROUNDING_GAP_PER_MWH, Section, Trade, settle_trades

DAY = date(2022, 7, 22)
PATH = [
    Section("NX", "OWN-NX", Decimal(25), Decimal("0.005")),
    Section("YD", "OWN-YD", Decimal("50.8"), Decimal("0.07")),
]
TOLERANCE = Decimal("0.001")


def trade(
    sold: Decimal, price: Decimal, landed: Decimal | None = None, bought: Decimal | None = None
) -> Trade:
    cost = path_cost([(section.tariff, section.loss_rate) for section in PATH])
    return Trade(
        "T1",
        DAY,
        "day_ahead",
        73,
        "NX-YD",
        "OUT-NX",
        price,
        rounded_price(cost.landed(price)) if landed is None else landed,
        sold,
        (sold * cost.coe).quantize(Decimal("0.000001")) if bought is None else bought,
    )


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
