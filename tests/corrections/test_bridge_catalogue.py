"""The catalogue: one change of one cause, delivered among others that move no money, is that cause's wholly.

Every case also renames a participant, or extends a contract on paper, so that two groups of inputs differ and the
month is truly computed again between them; only the group under test may have a part, and the parts are the
difference.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from changed_books import JULY, give, revise, with_capacity_price

from jobs.bridge import bridge
from jobs.settle_month import settle
from market.profiles import RuleProfile
from settlement.bridge import Cause
from warehouse.home import Home


@dataclass(frozen=True)
class Case:
    cause: Cause
    change: Callable[[Home], None] | None
    moves: tuple[str, str]
    rules: RuleProfile | None = None


def called_event(at: Home) -> None:
    """W1 is called on 28 July, periods 69 to 80: 27 days of history, baseline the mean of five."""
    give(
        at,
        "dr_programs",
        [
            {
                "program_id": "DR", "kind": "emergency", "product": "day_ahead", "direction": "cut", "price_cny": "1.5",
                "price_unit": "per_kwh", "notice_minutes": "720", "minimum_minutes": "60", "floor": "0.8", "cap": "1.2",
                "test": "average", "maximum_minutes": "240", "penalty_share": "0.5", "penalty_factor": "0.5",
                "valid_from": "2022-01-01", "valid_to": "", "source": "test",
            }
        ],
    )  # fmt: skip
    give(
        at,
        "dr_events",
        [
            {
                "event_id": "E1", "program_id": "DR", "date": "2022-07-28", "first_period": "69", "last_period": "80",
                "announced_at": "2022-07-27T10:00:00+08:00", "need_mw": "1", "direction": "cut",
            }
        ],
    )  # fmt: skip
    give(
        at,
        "dr_enrolments",
        [
            {
                "program_id": "DR", "participant_id": "W1", "tier": "1", "aggregator_id": "",
                "baseline_method": "mean_5", "adjustment": "none", "capability_kw": "2000",
                "fixed_at": "2022-06-01T09:00:00+08:00", "valid_from": "2022-01-01", "valid_to": "",
            }
        ],
    )  # fmt: skip
    award(at, "1.5")


def award(at: Home, price: str) -> None:
    row = {"event_id": "E1", "participant_id": "W1", "committed_kw": "1000", "price_cny": price}
    give(at, "dr_awards", [{**row, "price_unit": "per_kwh"}])


def change(table: str, cells: dict[str, str], **where: str) -> Callable[[Home], None]:
    return lambda at: revise(at, table, cells, **where)


CATALOGUE = {
    "a late reading of a user": Case(
        Cause.READING,
        change("meter_readings", {"08:00": "25"}, meter_id="M-W1", date="2022-07-12"),
        ("W1", "energy_real_time"),
    ),
    "a generator's meter read again": Case(
        Cause.READING,
        change("meter_readings", {"all": "2490"}, meter_id="M-G1", date="2022-07-12"),
        ("G1", "energy_real_time"),
    ),
    "the residents' meter read again": Case(
        Cause.READING, change("meter_readings", {"all": "490"}, meter_id="M-RES", date="2022-07-12"), ("SGCC", "loss")
    ),
    "a real-time price": Case(
        Cause.PRICE,
        change("prices", {"12:00": "700"}, node="SD_A", stage="real_time", date="2022-07-12"),
        ("W1", "energy_real_time"),
    ),
    "a day-ahead price": Case(
        Cause.PRICE,
        change("prices", {"12:00": "100"}, node="SD_B", stage="day_ahead", date="2022-07-12"),
        ("R1", "contract"),
    ),
    "a published unified price": Case(
        Cause.PRICE,
        change("prices", {"node": "SD_USER", "all": "495"}, node="SD_A", stage="real_time", date="2022-07-12"),
        ("W1", "energy_real_time"),
    ),
    "a day-ahead position": Case(
        Cause.POSITION, change("positions", {"all": "1.9"}, participant_id="W1", date="2022-07-12"), ("W1", "energy_day_ahead")
    ),
    "the capacity a unit offered": Case(
        Cause.POSITION,
        change("capacity_available", {"capacity_mw": "2"}, participant_id="G2"),
        ("G2", "capacity_compensation"),
    ),
    "a contract's price": Case(
        Cause.CONTRACT, change("contracts", {"price_cny_per_mwh": "401.005"}, contract_id="C1"), ("W1", "contract")
    ),
    "a contract's curve": Case(
        Cause.CONTRACT, change("contract_curves", {"10:00": "0.7"}, contract_id="C2", date="2022-07-12"), ("R1", "contract")
    ),
    "what a trade executed": Case(
        Cause.CONTRACT,
        change("trades", {"executed_sell_mw": "0.9", "executed_buy_mw": "0.832815"}),
        ("OUT-NX", "interprovincial_sale_day_ahead"),
    ),
    "a meter's multiplier": Case(
        Cause.MASTER_DATA, change("meters", {"multiplier": "110"}, meter_id="M-W1"), ("W1", "energy_real_time")
    ),
    "a customer who changed supplier": Case(
        Cause.MASTER_DATA,
        change("participants", {"kind": "agency_user", "retailer_id": ""}, participant_id="T1"),
        ("R1", "energy_real_time"),
    ),
    "a section's tariff": Case(
        Cause.MASTER_DATA,
        change("sections", {"tariff_cny_per_mwh": "60"}, section_id="YD"),
        ("OWN-YD", "interprovincial_transmission"),
    ),
    "another capacity price": Case(
        Cause.RULE, None, ("W1", "capacity_compensation"), with_capacity_price("99.2")
    ),
    "an event found late": Case(Cause.EVENT, called_event, ("W1", "demand_response_charge")),
}  # fmt: skip


def test_the_catalogue_has_at_least_fifteen_cases_of_seven_causes() -> None:
    assert len(CATALOGUE) >= 15
    assert {case.cause for case in CATALOGUE.values()} == {
        Cause.READING, Cause.PRICE, Cause.POSITION, Cause.CONTRACT, Cause.MASTER_DATA, Cause.RULE, Cause.EVENT
    }  # fmt: skip


def on_paper_only(at: Home, beside: Cause) -> Cause:
    """Another group changes and no money moves: a name, or the day after which a contract ends."""
    if beside is Cause.MASTER_DATA:
        revise(at, "contracts", {"valid_to": "2022-08-02"}, contract_id="C2")
        return Cause.CONTRACT
    revise(at, "participants", {"name": "济南商场"}, participant_id="A1")
    return Cause.MASTER_DATA


@pytest.mark.parametrize("name", list(CATALOGUE)[:: 1 if os.environ.get("GRIDSETTLE_SOAK") else 2])
def test_a_single_change_is_its_cause_wholly_and_to_the_fen(drafted: Home, name: str) -> None:
    case = CATALOGUE[name]
    other = on_paper_only(drafted, case.cause)
    if case.change is not None:
        case.change(drafted)
    new = settle(drafted, JULY, profile_name=case.rules or "SD_2022").run
    found = bridge(drafted, "2022-07 draft v1", new.alias)
    assert {cause for row in found.rows for cause in row.parts} == {case.cause}
    assert all(sum(row.parts.values()) == row.difference_fen for row in found.rows)
    assert case.moves in {(row.participant_id, row.charge_code) for row in found.rows}
    assert found.reasons[case.moves] == (case.cause,)
    assert {change.cause for change in found.changes} == {case.cause, other}


def test_changes_that_move_no_money_leave_an_empty_bridge(drafted: Home) -> None:
    on_paper_only(drafted, Cause.MASTER_DATA)
    on_paper_only(drafted, Cause.READING)
    found = bridge(drafted, "2022-07 draft v1", settle(drafted, JULY).run.alias)
    assert found.rows == ()
    assert [change.cause for change in found.changes] == [Cause.CONTRACT, Cause.MASTER_DATA]


def test_an_award_paid_otherwise_is_the_events_part(drafted: Home) -> None:
    revise(drafted, "meter_readings", {"all": "18"}, meter_id="M-W1", date="2022-07-28")
    called_event(drafted)
    settle(drafted, JULY)
    award(drafted, "1.6")
    on_paper_only(drafted, Cause.EVENT)
    settle(drafted, JULY)
    found = bridge(drafted, "2022-07 draft v2", "2022-07 draft v3")
    (paid,) = (row for row in found.rows if row.charge_code == "demand_response_payment")
    # 7,200 kW instead of 8,000 kW in the mean, 0.8 of the 1,000 kW committed: 800 kW · 3 h · 0.1 元/kWh more
    assert (paid.participant_id, paid.parts) == ("W1", {Cause.EVENT: -24000})
    assert {cause for row in found.rows for cause in row.parts} == {Cause.EVENT}


def test_two_causes_at_once_are_told_apart_by_the_stated_order(drafted: Home) -> None:
    """W1 uses 0.1 MWh more in one quarter-hour whose price rises by 200 / 2 (two nodes, simple mean) / 4 (an hour)."""
    revise(drafted, "meter_readings", {"12:00": "21"}, meter_id="M-W1", date="2022-07-12")
    revise(drafted, "prices", {"12:00": "700"}, node="SD_A", stage="real_time", date="2022-07-12")
    found = bridge(drafted, "2022-07 draft v1", settle(drafted, JULY).run.alias)
    (row,) = (
        row for row in found.rows if (row.participant_id, row.charge_code) == ("W1", "energy_real_time")
    )
    # readings first, at the old price: 0.1 · 490; then prices at the new energy: (4 · 2.0 + 0.1) · 25
    assert row.parts == {Cause.READING: 4900, Cause.PRICE: 20250}
    assert row.difference_fen == 25150
