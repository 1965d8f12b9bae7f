"""Each audit rule fires on its defect and is silent on the sibling that is right."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from market.dated import on
from market.periods import Month
from market.profiles import profile
from reports.labels import FINDINGS
from settlement.audit.accounts import Account, Contract, Record
from settlement.audit.bills import basic_fee_plausible, mean_price_in_range, power_factor_plausible
from settlement.audit.catalogue import CATALOGUE, rule_of
from settlement.audit.closing import (
    DaySums,
    Pool,
    allocation_closes,
    no_tail,
    settled_once,
    within_look_back,
)
from settlement.audit.contracts import curve_is_contract_energy, sides_agree
from settlement.audit.records import joined_or_left, master_data_complete, tariff_class_fits
from settlement.findings import Severity
from settlement.ledger import Balance, Line, Posting, post
from settlement.parties import DailySeries

JULY = Month(2022, 7)
RULES = profile("SD_2022")
LIMITS = RULES.audit.limits(JULY.first)
STANDARDS = on(RULES.consumer.power_factor_standards, JULY.first, "power_factor_standards")
_, MATRIX = RULES.settled
GOOD = Record(
    date(2022, 1, 1),
    None,
    "retail_user",
    "jinan",
    "SD_A",
    Decimal(110),
    Decimal(2000),
    "large_industry",
    "R1",
)


def account(**changes):
    """A good account with changes of its record, or of itself by name."""
    own = {name: changes.pop(name) for name in list(changes) if name in Account.__dataclass_fields__}
    record = replace(GOOD, **changes)
    return Account(**{"participant_id": "T1", "records": (record,), "now": record, **own})


def codes(findings):
    """Codes of findings; each names its city, its subject, its rule number."""
    found = list(findings)
    for one in found:
        assert rule_of(one.code) in one.sentence
        assert one.subject.split("/")[0] in one.sentence
    return [one.code for one in found]


def classes(one):
    return codes(tariff_class_fits([one], LIMITS.tariff_classes, RULES.consumer))


@pytest.mark.parametrize(
    "changes",
    [
        {"capacity_kva": Decimal("314.999")},
        {"voltage_kv": Decimal("0.4")},
        {"kind": "residents"},
        {"tariff_class": "huge_industry"},
    ],
)
def test_r12_a_class_that_does_not_fit_capacity_voltage_or_kind_is_flagged(changes):
    assert classes(account(**changes)) == ["tariff_class_differs"]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"capacity_kva": Decimal(315)},
        {"tariff_class": None},
        {"kind": "generator", "tariff_class": "coal"},
    ],
)
def test_r12_a_class_that_fits_and_a_kind_without_classes_are_not(changes):
    assert classes(account(**changes)) == []


def mean_price(fen, mwh=100, code="retail_energy", kind="retail_user"):
    lines = [
        Line("T1", code, "jinan", None if mwh is None else mwh * 1_000_000, fen),
        Line("T1", "demand_response_payment", "jinan", 1, -(10**9)),
    ]
    found = list(mean_price_in_range(lines, {"T1": kind}, LIMITS.mean_prices, LIMITS.mean_price_without))
    return [(one.code, one.city, one.amount_at_stake_fen) for one in found]


def test_r13_a_mean_price_outside_the_range_is_flagged_with_what_it_is_apart():
    assert mean_price(16_000_000) == []  # 100 MWh at 1.6 元/kWh
    assert mean_price(16_000_001) == [("mean_price_out_of_range", "jinan", 1)]
    assert mean_price(3_000_000) == []
    assert mean_price(2_000_000) == [("mean_price_out_of_range", "jinan", 1_000_000)]


def test_r13_a_bill_without_an_amount_or_energy_and_another_kind_are_not_judged():
    assert mean_price(None) == mean_price(99, 0) == mean_price(99, None) == []
    assert mean_price(99, code="energy_real_time", kind="generator") == []


def power_factor(one):
    return codes(power_factor_plausible([one], LIMITS.power_factor_low, STANDARDS))


def test_r14_a_low_power_factor_and_another_standard_are_flagged():
    assert power_factor(account(active_wh=1000, reactive_varh=1800)) == ["power_factor_odd"]  # 0.49
    assert power_factor(account(power_factor_standard=Decimal("0.85"))) == ["power_factor_odd"]


def test_r14_a_plain_power_factor_and_the_standard_of_the_class_are_not():
    assert power_factor(account(active_wh=1000, reactive_varh=1700)) == []  # 0.51
    assert power_factor(account(power_factor_standard=Decimal("0.90"))) == []
    assert power_factor(account(active_wh=1000)) == power_factor(account(active_wh=0, reactive_varh=9)) == []


def basic_fee(one):
    return codes(basic_fee_plausible([one], LIMITS.demand_over_capacity, LIMITS.basic_fee_change_days, JULY))


def changed_on(*days):
    ways = ("demand", "capacity")
    return tuple(
        replace(GOOD, valid_from=day, basic_fee=ways[place % 2])
        for place, day in enumerate((date(2022, 1, 1), *days))
    )


def test_r15_demand_above_the_capacity_and_a_change_too_soon_are_flagged():
    assert basic_fee(account(demand_w=2_400_001)) == ["basic_fee_odd"]
    assert basic_fee(account(records=changed_on(date(2022, 6, 10), date(2022, 7, 9)))) == ["basic_fee_odd"]


def test_r15_demand_within_and_a_change_after_thirty_days_or_in_another_month_are_not():
    assert basic_fee(account(demand_w=2_400_000)) == basic_fee(account()) == []
    assert basic_fee(account(records=changed_on(date(2022, 6, 9), date(2022, 7, 9)))) == []
    assert basic_fee(account(records=changed_on(date(2022, 5, 10), date(2022, 6, 1)))) == []


@pytest.mark.parametrize("key", ["city", "voltage_kv", "capacity_kva", "tariff_class", "retailer_id"])
def test_r18_an_empty_key_that_the_kind_must_have_is_flagged(key):
    (found,) = master_data_complete([account(**{key: None})], LIMITS.required_keys)
    assert (found.code, found.evidence["missing"]) == ("master_data_missing", [key])


def test_r18_an_account_without_a_meter_is_flagged_and_a_whole_record_is_not():
    assert codes(master_data_complete([account(metered=False)], LIMITS.required_keys)) == [
        "master_data_missing"
    ]
    assert (
        codes(master_data_complete([account(), account(kind="fund", city=None)], LIMITS.required_keys)) == []
    )


@pytest.mark.parametrize(
    ("began", "ended", "days"),
    [(date(2022, 7, 16), None, "16 of 31"), (date(2022, 1, 1), date(2022, 7, 11), "10 of 31")],
)
def test_r19_an_account_that_began_or_ended_in_the_month_is_flagged_with_its_days(began, ended, days):
    record = replace(GOOD, valid_from=began, valid_to=ended)
    (found,) = joined_or_left([account(records=(record,), now=record)], JULY)
    assert days in found.sentence


def test_r19_one_that_began_with_the_month_ended_with_it_or_only_changed_is_not():
    whole = replace(GOOD, valid_from=JULY.first, valid_to=JULY.after)
    changed = (replace(GOOD, valid_to=date(2022, 7, 9)), replace(GOOD, valid_from=date(2022, 7, 9)))
    assert codes(joined_or_left([account(records=(whole,)), account(records=changed)], JULY)) == []


def contract(buyer=(4_464_000_000, 400_000), seller=(4_464_000_000, 400_000), curve=4_464_000_000):
    sides = {"buyer": buyer, "seller": seller}
    registered = {side: what for side, what in sides.items() if what is not None}
    return Contract("C1", "W1", "G1", 400_000, curve, registered)


def of_contract(rule, one):
    return [
        (found.code, found.amount_at_stake_fen, found.city) for found in rule([one], LIMITS, {"W1": "jinan"})
    ]


def test_r20_a_curve_that_is_not_the_registered_energy_is_flagged_from_more_than_a_kwh():
    assert of_contract(curve_is_contract_energy, contract(curve=4_464_001_000)) == []
    assert of_contract(curve_is_contract_energy, contract(curve=4_465_000_000)) == [
        ("contract_energy_differs", 40_000, "jinan")
    ]
    assert of_contract(curve_is_contract_energy, contract(curve=None)) == []
    assert of_contract(curve_is_contract_energy, contract(buyer=None, seller=None)) == []


def test_r21_sides_that_registered_differently_or_alone_are_flagged():
    other_energy = contract(buyer=(4_465_000_000, 400_000))
    other_price = contract(buyer=(4_464_000_000, 401_000))
    assert of_contract(sides_agree, other_energy) == [("contract_sides_differ", 40_000, "jinan")]
    assert of_contract(sides_agree, other_price) == [("contract_sides_differ", 446_400, "jinan")]
    assert of_contract(sides_agree, contract(seller=None)) == [("contract_sides_differ", 0, "jinan")]


def test_r21_sides_that_registered_the_same_are_not():
    assert of_contract(sides_agree, contract()) == of_contract(sides_agree, contract(None, None)) == []


LINES = (Line("W1", "contract", "jinan", 5, 300), Line("G1", "contract", "jinan", 5, -300))
POSTED = tuple(post(LINES, [], MATRIX))


def days_of(nano):
    one = np.array([[nano]], np.int64)
    return DaySums.of(DailySeries("contract", ("W1",), (JULY.first,), one, one, one < 0))


def test_r27_a_line_that_is_not_its_days_or_not_in_the_account_is_flagged():
    assert codes(no_tail(LINES, [days_of(3_020_000_000)], POSTED, LIMITS.tail_cny)) == ["tail_difference"]
    more = (*POSTED, Posting("participant:W1", "W1", "contract", "participant", 2, "W1"))
    assert codes(no_tail(LINES, [], more, LIMITS.tail_cny)) == ["tail_difference"]


def test_r27_rounding_of_a_line_and_a_line_without_an_amount_are_not():
    assert codes(no_tail(LINES, [days_of(3_004_999_999)], POSTED, LIMITS.tail_cny)) == []
    missing = (Line("W1", "contract", "jinan", 5, None),)
    assert codes(no_tail(missing, [days_of(9)], (), LIMITS.tail_cny)) == []


def closes(pools=(), accounts=()):
    return codes(allocation_closes(pools, accounts, MATRIX, LIMITS.closure_cny))


def test_r28_an_account_that_stays_open_and_an_event_shared_short_are_flagged():
    assert closes(accounts=[Balance("contract", 0, 2)]) == ["allocation_open"]
    assert closes(pools=[Pool("DR-1", 100, 98)]) == ["allocation_open"]


def test_r28_what_closes_what_carries_forward_and_what_is_shared_whole_are_not():
    carried = next(one.code for one in MATRIX.accounts if one.closes == "carry_forward")
    assert closes([Pool("DR-1", 100, 100)], [Balance("contract", 3, -3), Balance(carried, 0, 9)]) == []
    assert closes(accounts=[Balance("participant:W1", 0, 9)]) == []


def test_r29_a_charge_twice_of_one_participant_is_flagged_and_of_two_is_not():
    assert codes(settled_once((*LINES, LINES[0]))) == ["settled_twice"]
    assert codes(settled_once(LINES)) == []


def test_r30_a_correction_beyond_the_window_is_flagged_and_within_it_is_not():
    assert codes(within_look_back([Month(2021, 6)], JULY, LIMITS.look_back_months)) == [
        "correction_beyond_window"
    ]
    assert codes(within_look_back([Month(2021, 7)], JULY, LIMITS.look_back_months)) == []


def test_the_catalogue_holds_r01_to_r30_once_each_with_a_name_a_limit_and_somebody_who_answers():
    assert [rule.rule_id for rule in CATALOGUE] == [f"R{number:02d}" for number in range(1, 31)]
    every_code = [code for rule in CATALOGUE for code in rule.codes]
    assert len(every_code) == len(set(every_code))
    for rule in CATALOGUE:
        assert set(rule.codes) <= FINDINGS.keys(), rule.rule_id
        for part, key in rule.limits:
            rules = RULES.traded if part == "interprovincial" else getattr(RULES, part)
            assert hasattr(rules, key), (rule.rule_id, key)
        for place in rule.found_by.split(", "):
            _found(place)


def test_every_limit_of_the_audit_is_named_by_a_rule():
    named = {key for rule in CATALOGUE for part, key in rule.limits if part == "audit"}
    assert named == set(type(RULES.audit).model_fields)


def test_the_severity_of_the_catalogue_is_the_one_the_rule_gives():
    of_code = {code: rule.severity for rule in CATALOGUE for code in rule.codes}
    found = [
        *tariff_class_fits([account(kind="residents")], LIMITS.tariff_classes, RULES.consumer),
        *master_data_complete([account(city=None)], LIMITS.required_keys),
        *basic_fee_plausible([account(demand_w=10**9)], LIMITS.demand_over_capacity, 30, JULY),
        *sides_agree([contract(seller=None)], LIMITS, {}),
        *settled_once((*LINES, LINES[0])),
        *allocation_closes([Pool("DR-1", 100, 98)], (), MATRIX, LIMITS.closure_cny),
        *within_look_back([Month(2021, 6)], JULY, 12),
    ]
    assert [one.severity for one in found] == [of_code[one.code] for one in found]
    assert {Severity.BLOCK, Severity.REVIEW} == {one.severity for one in found}


def test_the_page_of_the_audit_prints_the_catalogue():
    page = (Path(__file__).resolve().parents[2] / "docs" / "audit.md").read_text("utf-8")
    for rule in CATALOGUE:
        limits = ", ".join(f"`{key}`" for _, key in rule.limits)
        codes_of = ", ".join(f"`{code}`" for code in rule.codes)
        row = f"| {rule.rule_id} | {rule.name_zh} | {rule.asks} | {codes_of} | {limits} | {rule.severity} |"
        assert row in page, row


def _found(place):
    """The module, or the function in its module."""
    try:
        import_module(place)
    except ModuleNotFoundError:
        module, _, name = place.rpartition(".")
        assert hasattr(import_module(module), name), place
