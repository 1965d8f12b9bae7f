"""Declarations of a session: format by both profiles, and who may trade at all."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from market.profiles import InterprovincialRules, profile
from optimization.curve_format import Side, Step, format_faults
from optimization.session_check import barred, session_findings

TRIAL, RULE_2026 = "IPSPOT_2022_TRIAL", "IPSPOT_2026"
COLUMNS = ["node", "period", "segment", "mw", "price_cny_per_mwh"]
GOOD_OFFERS = [("NX", 73, 1, 100, 300), ("NX", 73, 2, 50, 300), ("NX", 73, 3, 1, 1500)]
GOOD_BIDS = [("SD", 73, 1, 200, 2000), ("SD", 73, 2, 50, 450)]
PATHS = pd.DataFrame([("P", "NX", "SD")], columns=["path_id", "seller_node", "buyer_node"])


def rules(name: str = TRIAL) -> InterprovincialRules:
    return profile(name).traded


def frame(rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=COLUMNS)


def situation(*rows: tuple[str, int, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["node", "period", "mw"])


def found(
    offers: list[tuple[Any, ...]] = GOOD_OFFERS,
    bids: list[tuple[Any, ...]] = GOOD_BIDS,
    *,
    name: str = TRIAL,
    paths: pd.DataFrame = PATHS,
    **situations: pd.DataFrame,
) -> pd.DataFrame:
    return session_findings(frame(offers), frame(bids), paths, rules(name), **situations)


@pytest.mark.parametrize("name", [TRIAL, RULE_2026])
def test_declarations_that_keep_the_rules_have_no_finding(name: str) -> None:
    assert found(name=name, curtailed=situation(("SD", 72, 5)), shortage=situation(("NX", 74, 5))).empty


@pytest.mark.parametrize(
    ("curve", "side", "code", "sentence"),
    [
        ([(1, 5, 9)] * 6, Side.BID, "too_many_segments", "6 segments are bid; the market takes 5."),
        ([(1, 5, 9), (3, 5, 8)], Side.BID, "segment_numbers", "numbered 1, 3; count 1, 2, 3"),
        ([(1, "5.5", 9)], Side.BID, "power_off_step", "5.5 MW; power must be above 0 in steps of 1 MW"),
        ([(1, 0, 9)], Side.OFFER, "power_off_step", "0 MW; power must be above 0"),
        ([(1, 5, "9.5")], Side.BID, "price_off_step", "9.5 元/MWh; prices go in steps of 1 元/MWh"),
        ([(1, 5, 10_001)], Side.BID, "price_outside_limits", "10001 元/MWh lies outside 0 to 10000"),
        ([(1, 5, -1)], Side.OFFER, "price_outside_limits", "-1 元/MWh lies outside 0 to 10000"),
        ([(1, 5, 8), (2, 5, 9)], Side.BID, "curve_not_monotone", "segment 2 bids 9 元/MWh above segment 1"),
        (
            [(1, 5, 9), (2, 5, 8)],
            Side.OFFER,
            "curve_not_monotone",
            "segment 2 offers 8 元/MWh below segment 1",
        ),
    ],
)
def test_a_breach_of_the_format_is_one_sentence(
    curve: list[tuple[int, Any, Any]], side: Side, code: str, sentence: str
) -> None:
    steps = [Step(number, Decimal(str(mw)), Decimal(str(price))) for number, mw, price in curve]
    faults = list(format_faults(steps, rules(), side))
    assert any(fault.code == code and sentence in fault.sentence for fault in faults)


def test_equal_prices_rise_and_fall_and_order_of_rows_does_not_matter() -> None:
    steps = [Step(2, Decimal(5), Decimal(9)), Step(1, Decimal(5), Decimal(9))]
    for side in Side:
        assert list(format_faults(steps, rules(), side)) == []


@pytest.mark.parametrize(
    ("price", "trial", "rule_2026"), [(-80, 1, 0), (-81, 1, 1), (3000, 0, 0), (3001, 0, 1), (10_000, 0, 1)]
)
def test_each_profile_has_its_own_limits(price: int, trial: int, rule_2026: int) -> None:
    offers = [("NX", 73, 1, 100, price)]
    assert [len(found(offers, name=name)) for name in (TRIAL, RULE_2026)] == [trial, rule_2026]


def test_the_same_fault_of_a_node_in_many_periods_is_one_finding() -> None:
    bids = [("SD", t, 1, 10, 400.5) for t in (74, 73, 75)]
    finding = found(bids=bids).iloc[0]
    assert (finding["code"], finding["subject"], finding["severity"]) == ("price_off_step", "SD", "review")
    assert finding["sentence"] == (
        "SD bids in period 73 (18:15), segment 1: 400.5 元/MWh; prices go in steps of 1 元/MWh. "
        "The same in 2 more cases."
    )
    assert json.loads(finding["evidence"]) == {"cases": 3, "periods": [73, 74, 75]}


def test_no_selling_in_shortage() -> None:
    # S14 3.5 b
    finding = found(shortage=situation(("NX", 73, 120.0), ("SD", 73, 900.0))).iloc[0]
    assert (finding["code"], finding["severity"]) == ("selling_in_shortage", "block")
    assert (
        "NX offers 151 MW in period 73 (18:15) while 120 MW of power are missing there" in finding["sentence"]
    )


def test_no_buying_while_curtailing_renewables() -> None:
    # market.md A.2, BOOK14
    finding = found(curtailed=situation(("SD", 73, 30.5), ("NX", 73, 80.0))).iloc[0]
    assert (finding["code"], finding["severity"]) == ("buying_while_curtailing", "block")
    assert (
        "SD bids 250 MW in period 73 (18:15) while 30.5 MW of renewables are curtailed" in finding["sentence"]
    )


def test_zero_curtailment_and_zero_shortage_bar_nobody() -> None:
    assert found(curtailed=situation(("SD", 73, 0.0)), shortage=situation(("NX", 73, 0.0))).empty


def test_the_barred_declarations_are_those_of_the_node_in_that_period() -> None:
    offers = frame([("NX", 73, 1, 1, 1), ("NX", 74, 1, 1, 1), ("GS", 73, 1, 1, 1)])
    assert barred(offers, situation(("NX", 73, 5.0), ("GS", 73, 0.0))).tolist() == [True, False, False]
    assert not barred(offers, None).any()
    assert barred(frame([]), situation(("NX", 73, 5.0))).dtype == np.bool_


def test_a_node_that_sells_and_buys_in_a_period_is_found() -> None:
    # S14 3.5 a; in another period it may
    bids = [*GOOD_BIDS, ("NX", 73, 1, 5, 100), ("NX", 74, 1, 5, 100)]
    finding = found(bids=bids).iloc[0]
    assert (finding["code"], finding["subject"]) == ("both_sides", "NX")
    assert "NX offers and bids in period 73 (18:15)" in finding["sentence"]


def test_pairs_of_one_province_do_not_trade() -> None:
    # S14 3.2.1
    loop = pd.DataFrame(
        [("P", "NX", "SD"), ("loop", "SD", "SD"), ("loop", "SD", "SD")], columns=PATHS.columns
    )
    finding = found(paths=loop).iloc[0]
    assert (finding["code"], finding["subject"]) == ("same_province_path", "loop")
    assert len(found(paths=loop)) == 1
