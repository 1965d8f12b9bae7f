"""Bills of random consumers: they balance, split at dates, add up, and round once (market.md B.7-B.10, B.13)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_consumers import (
    BOOK,
    FIRST,
    FIXED,
    LINKED,
    OTHERS,
    PRICES,
    RESIDENTS,
    RULES,
    SUPPLIERS,
    agency,
    all_month,
    billed,
    choice,
    curves,
    fen_of,
    retail,
    tariff,
    use_of,
)
from small_market import SD_2022, settle

from market.profiles import profile
from settlement.ledger import Line
from settlement.month import MonthSettlement
from settlement.retail.books import with_bills
from settlement.retail.tariffs import TariffBook
from settlement.retail.use import Span

_, MATRIX = SD_2022.settled
NAMES = ("A1", "A2", "RES", "T1", "T2", "T3")
MID = 14  # index of 15 July
NOT_ADDITIVE = {
    "basic_fee",
    "power_factor",
    "retail_cap",
    "retail_deviation",
    "retail_termination",
    "green_certificates",
}


def everyone() -> list[Span]:
    """Two agency users, residents, three retail users of whom T3 goes from R1 to R2 on 15 July."""
    before = (agency(), agency(tariff_class="general_industry", basic_fee=None), RESIDENTS)
    before += (retail("T1", FIXED), retail("T2", LINKED), retail("T3", LINKED))
    after = (*before[:5], retail("T3", OTHERS))
    return [Span(0, MID, before), Span(MID, 31, after)]


def both_layers(seed: int, **how: object) -> MonthSettlement:
    first, _ = settle(seed, days=1)
    use = use_of(NAMES, curves(seed, len(NAMES)), **how)  # type: ignore[arg-type]
    return with_bills(first, [billed(use, everyone())], SUPPLIERS, MATRIX, {"rounding": 3})


def amounts(result: MonthSettlement) -> dict[tuple[str, str], int | None]:
    return {(line.participant_id, line.charge_code): line.amount_fen for line in result.lines}


@settings(max_examples=10)
@given(st.integers(0, 10**6))
def test_what_consumers_pay_reaches_their_supplier_and_every_account_closes(seed: int):
    result = both_layers(seed)
    assert sum(posting.amount_fen for posting in result.postings) == 0
    closing = {balance.account: balance.closing_fen for balance in result.accounts}
    for account in MATRIX.accounts:
        if account.closes == "zero":
            assert closing[account.code] == 0, account.code
    participants = sum(fen for name, fen in closing.items() if name.startswith("participant:"))
    assert participants + closing["rounding"] - 3 + closing["agency_result"] == 0


@settings(max_examples=10)
@given(st.integers(0, 10**6))
def test_a_retailer_keeps_what_its_users_pay_less_what_it_paid_wholesale(seed: int):
    fen = amounts(both_layers(seed))
    wholesale = {
        "R1": sum(of for (who, code), of in fen.items() if who == "R1" and not code.startswith("retail_"))
    }
    paid = {
        key: of
        for key, of in fen.items()
        if key[0].startswith("T") and (key[1].startswith("retail_") or key[1] == "green_certificates")
    }
    margins = {who: -of for (who, code), of in fen.items() if code == "retail_margin"}
    assert margins.keys() == {"R1", "R2"}
    assert fen["R1", "retail_cost"] == -wholesale["R1"]
    assert fen["R2", "retail_cost"] == 0  # R2 has no wholesale lines in this market
    assert sum(margins.values()) + wholesale["R1"] == sum(paid.values())


@settings(max_examples=10)
@given(st.integers(0, 10**6))
def test_the_agency_result_is_what_the_book_cost_less_what_its_users_paid(seed: int):
    result = both_layers(seed)
    fen = amounts(result)
    own = (*RULES.grid_company_own_charges, "interprovincial_gain_loss")
    consumer = {charge.code for charge in MATRIX.charges if charge.layer == "consumer"}
    cost = sum(
        of for (who, code), of in fen.items() if who == "GRID" and code not in consumer and code not in own
    )
    brought = sum(
        of
        for (who, code), of in fen.items()
        if who in ("A1", "A2")
        and code in ("agency_energy", "agency_capacity", "time_of_use", "agency_deviation")
    )
    (account,) = [one for one in result.accounts if one.account == "agency_result"]
    assert account.closing_fen == cost - brought


@settings(max_examples=10)
@given(st.integers(0, 10**6))
def test_nobody_is_charged_twice_for_one_mwh(seed: int):
    result = both_layers(seed)
    energy = [
        line
        for line in result.lines
        if line.charge_code in ("agency_energy", "retail_energy", "residents_bill")
    ]
    consumers = [line for line in energy if line.participant_id in NAMES]
    assert sorted(line.participant_id for line in consumers) == sorted(NAMES)
    use = use_of(NAMES, curves(seed, len(NAMES)))
    month = dict(zip(NAMES, use.energy.sum(axis=1).tolist(), strict=True))
    assert {line.participant_id: line.quantity_wh for line in consumers} == month


def test_the_order_of_consumers_does_not_matter():
    energy = curves(7, len(NAMES))
    forward = fen_of(billed(use_of(NAMES, energy), everyone()))
    turned = [Span(span.first, span.after, span.customers[::-1]) for span in everyone()]
    backward = fen_of(billed(use_of(NAMES[::-1], energy[::-1]), turned))
    assert forward == backward


@settings(max_examples=10)
@given(st.integers(0, 10**6), st.integers(1, 99))
def test_splitting_a_user_in_two_changes_only_lines_that_are_named(seed: int, percent: int):
    """Exact amounts before the fen; the lines of the parts differ from the whole by their rounding alone."""
    whole = curves(seed, 2)
    part = whole * percent // 100
    terms = {"A": agency(), "T": retail("T", LINKED)}
    one = billed(use_of(("A", "T"), whole), all_month(terms["A"], terms["T"]))
    two = billed(
        use_of(("A", "A'", "T", "T'"), np.stack([part[0], whole[0] - part[0], part[1], whole[1] - part[1]])),
        all_month(terms["A"], terms["A"], terms["T"], terms["T"]),
    )
    for code, column in one.columns.items():
        parts = two.columns[code].exact
        if code in NOT_ADDITIVE:
            continue
        assert column.exact[0] == parts[0] + parts[1], code
        assert column.exact[1] == parts[2] + parts[3], code


@settings(max_examples=10)
@given(st.integers(0, 10**6))
def test_a_line_is_rounded_once_and_its_days_are_the_line(seed: int):
    bills = billed(use_of(NAMES, curves(seed, len(NAMES))), everyone())
    days = {series.charge_code: series for series in bills.series()}
    for code, column in bills.columns.items():
        for row, (exact, fen) in enumerate(zip(column.exact.tolist(), column.fen(), strict=True)):
            if not column.pays[row]:
                continue
            true = Fraction(exact) / column.denominator
            assert abs(Fraction(fen) - true) <= Fraction(1, 2), code
            if code in days:
                at = days[code].participants.index(NAMES[row])
                nano = int(days[code].nano[at].sum())
                assert abs(nano - true * 10**7) <= 31 * Fraction(1, 2), code


def test_a_user_that_changes_its_retailer_pays_each_for_its_own_days():
    energy = curves(3, 1)
    changed = billed(
        use_of(("T3",), energy),
        [Span(0, MID, (retail("T3", LINKED),)), Span(MID, 31, (retail("T3", OTHERS),))],
    )
    parts = [
        billed(use_of(("T3",), energy), [Span(0, MID, (retail("T3", LINKED),)), Span(MID, 31, (None,))]),
        billed(use_of(("T3",), energy), [Span(0, MID, (None,)), Span(MID, 31, (retail("T3", OTHERS),))]),
    ]
    for code in ("retail_energy", "retail_capacity"):
        exact = [one.columns[code].exact[0] for one in parts]
        assert changed.columns[code].exact[0] == sum(exact)
    first = MonthSettlement((), (), (), (), (), {}, ())
    fen = amounts(with_bills(first, [changed], SUPPLIERS, MATRIX, {}))
    alone = sum(fen_of(parts[0])["T3", code] for code in ("retail_energy", "retail_capacity"))
    assert (
        abs(-fen["R1", "retail_margin"] - alone) <= 1
    )  # R1 gets the running sum rounded to the fen of each line
    assert (
        -fen["R1", "retail_margin"] - fen["R2", "retail_margin"]
        == fen["T3", "retail_energy"] + fen["T3", "retail_capacity"]
    )


def test_a_user_that_changes_class_and_voltage_pays_each_price_for_its_own_days():
    book = TariffBook(
        [
            *(tariff(name, price) for name, price in PRICES.items()),
            replace(tariff("transmission", 20_000_000), tariff_class="general_industry"),
            replace(tariff("transmission", 10_000_000), voltage_band="110_to_220kv"),
            tariff("basic_capacity", 2_440_000_000),
        ]
    )
    energy = np.full((1, 31, 96), 1_000_000)  # 96 MWh a day
    spans = [
        Span(0, MID, (agency(tariff_class="general_industry", basic_fee=None),)),
        Span(MID, 31, (agency(band="110_to_220kv"),)),
    ]
    fen = fen_of(billed(use_of(("A1",), energy), spans, book))
    assert fen["A1", "transmission_fee"] == 14 * 96 * 200_00 + 17 * 96 * 100_00
    # two-part from the 15th: 2,000 kVA x 24.4 元 x 17 / 31 = 26,761.290…
    assert fen["A1", "basic_fee"] == 26_761_29


def test_a_user_that_leaves_its_retailer_for_the_agency_is_billed_by_each_for_its_days():
    energy = np.full((1, 31, 96), 1_000_000)
    spans = [Span(0, MID, (retail("X", FIXED),)), Span(MID, 31, (agency(),))]
    bills = billed(use_of(("X",), energy), spans)
    assert bills.columns["retail_energy"].quantity[0] == 14 * 96 * 10**6
    assert bills.columns["agency_energy"].quantity[0] == 17 * 96 * 10**6
    assert bills.columns["transmission_fee"].quantity[0] == 31 * 96 * 10**6


def test_a_tariff_that_changes_inside_the_month_applies_from_its_day():
    change = date(2022, 7, 15)
    book = TariffBook(
        [
            *(tariff(name, price) for name, price in PRICES.items() if name != "transmission"),
            tariff("transmission", 10_000_000, to=change),
            tariff("transmission", 30_000_000, since=change),
            tariff("basic_capacity", 0),
        ]
    )
    energy = np.full((1, 31, 96), 1_000_000)
    fen = fen_of(
        billed(use_of(("A1",), energy), [Span(0, MID, (agency(),)), Span(MID, 31, (agency(),))], book)
    )
    assert fen["A1", "transmission_fee"] == 14 * 96 * 100_00 + 17 * 96 * 300_00


def test_a_season_that_changes_inside_the_month_applies_by_day():
    """The set of 2022 to 14 July, that of 2025 from 15 July; one MWh in every hour, floating base 0.5 元/kWh."""
    old, new = (entry for entry in RULES.time_of_use)
    change = FIRST.replace(day=15)
    rules = RULES.model_copy(
        update={
            "time_of_use": (
                old.model_copy(update={"valid_to": change}),
                new.model_copy(update={"valid_from": change}),
            )
        }
    )
    prices = dict.fromkeys(PRICES, 0) | {"agency_purchase": 50_000_000}
    book = TariffBook([*(tariff(name, price) for name, price in prices.items()), tariff("basic_capacity", 0)])
    energy = np.full((1, 31, 96), 250_000)
    bills = billed(
        use_of(("A1",), energy, rules=rules),
        [Span(0, MID, (agency(),)), Span(MID, 31, (agency(),))],
        book,
        rules,
    )
    # 2022: 3 sharp at +0.8, 6 peak at +0.5, 9 valley at −0.5 of 500 元/MWh: 450 元 a day
    # 2025, July: 5 sharp at +1.0, 2 peak at +0.7, 5 valley at −0.7: 1,450 元 a day
    assert fen_of(bills)["A1", "time_of_use"] == (14 * 450 + 17 * 1450) * 100


def test_a_missing_day_leaves_the_users_lines_and_its_retailers_margin_missing_and_nobody_elses():
    result = both_layers(5, missing=[(3, 20)])  # T1, 21 July
    missing = {(line.participant_id, line.charge_code) for line in result.lines if line.amount_fen is None}
    assert {("T1", "retail_energy"), ("T1", "transmission_fee"), ("T1", "power_factor")} <= missing
    assert ("T1", "green_certificates") in missing
    assert {("R1", "retail_cost"), ("R1", "retail_margin"), ("GRID", "transmission_fee")} <= missing
    assert {("FUND-GOV", "government_funds")} <= missing
    assert not any(who in ("A1", "A2", "RES", "T2", "T3", "R2") for who, _ in missing)
    assert ("GRID", "agency_cost") not in missing
    assert sum(posting.amount_fen for posting in result.postings) == 0


def test_a_retail_user_without_a_package_has_no_energy_price():
    bills = billed(use_of(("T1",), curves(1, 1)), all_month(retail("T1", None)))
    fen = fen_of(bills)
    assert fen["T1", "retail_energy"] is None
    assert fen["T1", "transmission_fee"] is not None
    assert [lack.what for lack in bills.lacks] == ["package_missing"]


def test_a_component_that_nobody_delivered_makes_its_lines_missing():
    book = TariffBook([tariff(name, price) for name, price in PRICES.items() if name != "line_loss"])
    bills = billed(use_of(("A1",), curves(1, 1)), all_month(agency(basic_fee="demand")), book)
    fen = fen_of(bills)
    assert fen["A1", "line_loss_fee"] is None
    assert fen["A1", "time_of_use"] is None  # the line loss floats
    assert fen["A1", "agency_energy"] is not None
    assert {lack.what for lack in bills.lacks} == {"tariff_missing", "demand_missing"}


def test_a_basic_fee_by_demand_is_the_months_demand_at_its_price():
    use = use_of(("A1",), curves(1, 1), demand={"A1": 1_234_567})  # 1,234.567 kW x 39 元 = 48,148.113
    assert fen_of(billed(use, all_month(agency(basic_fee="demand"))))["A1", "basic_fee"] == 48_148_11


def test_a_two_part_user_that_chose_neither_demand_nor_capacity_has_no_basic_fee():
    bills = billed(use_of(("A1",), curves(1, 1)), all_month(agency(basic_fee=None)))
    assert fen_of(bills)["A1", "basic_fee"] is None
    assert "basic_fee_unknown" in {lack.what for lack in bills.lacks}


def test_the_power_factor_rests_on_the_lines_as_billed_without_funds():
    energy = np.full((1, 31, 96), 100_000_000 // 2976 + 1)
    active = int(energy.sum())
    use = use_of(("A1",), energy, reactive={"A1": active * 6 // 10})  # the golden case: 0.86, +2.0 %
    fen = fen_of(billed(use, all_month(agency())))
    base = sum(of for (_, code), of in fen.items() if code not in ("government_funds", "power_factor"))
    assert fen["A1", "power_factor"] == round(Decimal(base) * Decimal("0.02"))


def test_a_user_without_reactive_readings_has_no_adjustment_and_one_of_few_kva_needs_none():
    bills = billed(use_of(("A1",), curves(1, 1), reactive={}), all_month(agency()))
    assert fen_of(bills)["A1", "power_factor"] is None
    assert "reactive_missing" in {lack.what for lack in bills.lacks}
    small = billed(use_of(("A1",), curves(1, 1), reactive={}), all_month(agency(capacity_kva=Decimal(99))))
    assert ("A1", "power_factor") not in fen_of(small)


def test_a_standard_that_no_table_holds_leaves_the_adjustment_missing():
    bills = billed(use_of(("A1",), curves(1, 1)), all_month(agency(standard=Decimal("0.95"))))
    assert fen_of(bills)["A1", "power_factor"] is None
    assert "standard_without_table" in {lack.what for lack in bills.lacks}


def test_notice_in_the_month_is_charged_once_even_where_the_month_is_split():
    package = replace(FIXED, c1_mills=10_000, c2_fen=300_000)
    given_up = replace(choice("T1", package), term_ends=date(2023, 1, 1), ended_early_on=date(2022, 7, 9))
    user = retail("T1", package, choice=given_up)
    bills = billed(use_of(("T1",), curves(1, 1)), [Span(0, MID, (user,)), Span(MID, 31, (user,))])
    assert fen_of(bills)["T1", "retail_termination"] == 300_000  # 1,000 MWh x 5 months x 10 元 is more


def test_the_agency_result_is_carried_over_three_months():
    opening = 0
    first = MonthSettlement(
        (Line("GRID", "energy_real_time", None, 1, 5_000_000_00),), (), (), (), (), {}, ()
    )
    for seed in (1, 2, 3):
        use = use_of(("A1",), curves(seed, 1))
        result = with_bills(
            first, [billed(use, all_month(agency()))], SUPPLIERS, MATRIX, {"agency_result": opening}
        )
        (account,) = [one for one in result.accounts if one.account == "agency_result"]
        assert account.opening_fen == opening
        assert account.movement_fen != 0
        opening = account.closing_fen


def test_a_fund_that_is_not_there_leaves_its_money_on_the_account():
    first = MonthSettlement((), (), (), (), (), {}, ())
    bills = billed(use_of(("A1",), curves(1, 1)), all_month(agency()))
    result = with_bills(first, [bills], replace(SUPPLIERS, fund=None), MATRIX, {})
    (funds,) = [one for one in result.accounts if one.account == "funds"]
    assert funds.closing_fen == -amounts(result)["A1", "government_funds"]


@pytest.mark.parametrize("seed", [1, 2])
def test_the_cap_bounds_the_average_price_of_the_month(seed: int):
    bills = billed(use_of(("T1",), curves(seed, 1)), all_month(retail("T1", FIXED)))
    fen, energy = fen_of(bills), int(bills.use.energy.sum())
    paid = fen["T1", "retail_energy"] + fen["T1", "retail_cap"]
    assert fen["T1", "retail_cap"] < 0
    assert abs(Fraction(paid * 10_000, energy) - 430) < Fraction(1, 1000)


@pytest.mark.parametrize("name", ["SD_2022", "SD_2025"])
def test_what_the_grid_company_alone_pays_is_its_own_and_not_the_agency_books(name: str):
    rules, (_, matrix) = profile(name).consumer, profile(name).settled
    alone = {
        charge.code
        for charge in matrix.charges
        if charge.layer == "wholesale"
        and charge.payers == ("grid_company",)
        and charge.account != "interprovincial"
    }
    assert alone
    assert alone <= set(rules.grid_company_own_charges)


def test_prices_of_the_book_are_those_of_the_bill():
    assert BOOK.find("fund", "anything", "anywhere", FIRST).price_e8 == 2_716_875  # 27.16875 元/MWh
