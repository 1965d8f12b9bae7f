"""What does not add up in delivered trades: R22, R24, nodes, buyers, executed against cleared (market.md C.6)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from small_market import FIRST, trade

from market.profiles import profile
from settlement.findings import Severity
from settlement.interprovincial import Trade
from settlement.trade_checks import Province, checked_trades

RULES = profile("IPSPOT_2022_TRIAL").traded
PROVINCE = Province("SD", "GRID", frozenset({"GRID", "W1", "G1"}))
ENDS = {"P": ("OUTSIDE", "SD")}
PLAIN = trade(FIRST, "day_ahead", 73, 400, 300)


def codes(*trades: Trade) -> list[str]:
    return [finding.code for finding in checked_trades(trades, ENDS, PROVINCE, RULES)[1]]


def test_a_plain_trade_is_settled_and_nothing_is_said() -> None:
    assert checked_trades([PLAIN], ENDS, PROVINCE, RULES) == ([PLAIN], [])


def test_the_same_seller_twice_in_one_period_round_and_path_is_found() -> None:  # R22
    again = replace(PLAIN, trade_id="T2", executed_sell_mw=Decimal(1))
    settled, findings = checked_trades([PLAIN, again], ENDS, PROVINCE, RULES)
    duplicate = next(finding for finding in findings if finding.code == "duplicate_trade")
    assert duplicate.severity is Severity.BLOCK
    assert duplicate.evidence["trades"] == [PLAIN.trade_id, "T2"]
    # 400 MW · 0.93 / 4 = 93 MWh at the stated landed price (300 + 47.244)/0.93 = 373.381
    assert duplicate.amount_at_stake_fen == 3_472_443
    assert settled == [PLAIN, again]


@pytest.mark.parametrize(
    "other",
    [
        {"period": 74},
        {"round_number": 2},
        {"stage": "intraday"},
        {"seller_id": "OUT-2"},
        {"path_id": "P2"},
        {"day": FIRST.replace(day=2)},
    ],
    ids=str,
)
def test_another_period_round_stage_seller_path_or_day_is_another_trade(other: dict) -> None:
    assert codes(PLAIN, replace(PLAIN, trade_id="T2", **other)) == []


def test_repetitions_of_one_seller_over_a_day_are_one_finding() -> None:
    day = [replace(PLAIN, trade_id=f"{twice}-{period}", period=period) for period in (1, 2) for twice in "ab"]
    assert codes(*day) == ["duplicate_trade"]


@pytest.mark.parametrize(
    ("price", "landed", "found"),
    [
        ("10000", "10000", []),
        ("0", "0", []),
        ("9990", "10001", ["trade_price_out_of_limits"]),
        ("-0.001", "50", ["trade_price_out_of_limits"]),
    ],
)
def test_a_price_outside_floor_and_cap_is_found(price: str, landed: str, found: list[str]) -> None:  # R24
    assert codes(replace(PLAIN, sell_price=Decimal(price), landed_price=Decimal(landed))) == found


@pytest.mark.parametrize("side", ["executed_sell_mw", "executed_buy_mw"])
def test_more_executed_than_cleared_is_found(side: str) -> None:
    assert codes(replace(PLAIN, **{side: Decimal("400.000001")})) == ["executed_above_cleared"]


def test_a_trade_that_ends_in_another_province_is_not_settled_here() -> None:
    settled, findings = checked_trades([replace(PLAIN, buyer_node="JS")], ENDS, PROVINCE, RULES)
    assert settled == []
    assert [(f.code, f.severity) for f in findings] == [("trade_ends_elsewhere", Severity.BLOCK)]


def test_a_sale_of_the_home_province_is_not_settled_as_a_purchase() -> None:
    sale = replace(PLAIN, seller_node="SD", buyer_node="JS")
    assert checked_trades([sale], ENDS, PROVINCE, RULES)[0] == []


def test_a_pair_of_one_province_is_found() -> None:
    assert codes(replace(PLAIN, seller_node="SD", path_id="inside")) == ["same_province_trade"]


def test_a_trade_whose_nodes_are_not_those_of_its_path_is_found() -> None:
    assert codes(replace(PLAIN, seller_node="NX")) == ["trade_off_its_path"]


def test_a_user_or_generator_may_buy_for_itself() -> None:
    for buyer in ("W1", "G1"):
        assert codes(replace(PLAIN, buyer_id=buyer)) == []


def test_a_buyer_who_settles_nothing_here_is_taken_for_the_grid_company_and_said() -> None:  # ruling 4
    settled, findings = checked_trades([replace(PLAIN, buyer_id="OUT-NX")], ENDS, PROVINCE, RULES)
    assert [trade.buyer_id for trade in settled] == ["GRID"]
    assert [(f.code, f.severity) for f in findings] == [("trade_buyer_not_settled", Severity.BLOCK)]


def test_what_the_security_check_took_away_is_summed_by_stage() -> None:
    cut = replace(PLAIN, trade_id="cut", period=74, executed_sell_mw=Decimal(100))
    gone = replace(PLAIN, trade_id="gone", period=75, executed_sell_mw=Decimal(0), executed_buy_mw=Decimal(0))
    whole = replace(PLAIN, trade_id="whole", stage="intraday")
    _, (said,) = checked_trades([PLAIN, cut, gone, whole], ENDS, PROVINCE, RULES)
    assert (said.code, said.severity, said.subject) == ("trades_cut", Severity.INFORM, "day_ahead")
    # cleared 3 · 400 MW / 4 = 300 MWh; gone 300/4 + 400/4 = 175 MWh
    assert (said.evidence["cleared_mwh"], said.evidence["not_executed_mwh"]) == ("300", "175")
    assert "cancelled 1 and cut 1" in said.sentence
    assert "175 of 300 MWh" in said.sentence
