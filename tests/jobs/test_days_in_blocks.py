"""The days of a month are settled in blocks of rows on several cores: what comes out does not depend on either."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from spread_month import ABSENT, BOOK, DAYS, GAPS, JULY, METERS, build, has_gap, positions, reactive, readings

from jobs.accepted import DayPatch
from jobs.consumer_use import UseCollector
from jobs.dr_loads import read_loads
from jobs.month_inputs import MonthInputs
from jobs.reactive_use import reactive_energy
from jobs.roster import ROSTER_TABLES, Roster
from market.curves import MISSING
from market.money import IntArray, OverflowBoundError
from market.profiles import profile
from settlement.day import settle_day
from warehouse.curves import curve_days
from warehouse.home import Home
from warehouse.records import read_records

PROFILE = profile("SD_2022")
RULES = PROFILE.settled[0]
CONSUMERS = ("A1", "A2", "RES", "T1", "T2", "W1", "W2", "W3", "W4", "W5")
PATCHED = date(2022, 7, 20)


@pytest.fixture(scope="module")
def spread_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return build(tmp_path_factory.mktemp("spread"))


@pytest.fixture(scope="module")
def roster(spread_home: Home) -> Roster:
    return Roster(JULY, *(read_records(spread_home, name) for name in ROSTER_TABLES))


def estimate(meter: str, wh: int) -> DayPatch:
    """A run accepted the same reading in every quarter-hour."""
    every = np.ones((1, 96), np.bool_)
    return DayPatch((meter,), every, np.full((1, 96), wh * 1000), np.full((1, 96), 1))


def inputs(at: Home, roster: Roster, **how: Any) -> MonthInputs:
    return MonthInputs(at, JULY, roster, how.pop("rules", RULES), {}, None, **how)


def wh_of(participant: str, day: date) -> IntArray:
    """Straight from the drawn readings: (96,) Wh, consumption positive, rounded half up a meter."""
    seen, total = readings(), np.zeros(96, np.int64)
    for meter, (owner, multiplier, direction, _) in METERS.items():
        if owner == participant and (meter, day) in seen:
            total += direction * ((seen[meter, day] * multiplier + 500) // 1000)
    return total


def everything(at: Home, roster: Roster, *, whole: bool = False, **how: Any) -> list[Any]:
    """All that a month's stream gives, as plain values to compare."""
    consumer = PROFILE.consumer
    assert consumer is not None
    timed, linked = frozenset(("A1", "T1", "W4")), frozenset(("T1", "T2"))
    use = UseCollector(JULY, roster, CONSUMERS, linked, timed, consumer)
    accepted = {
        PATCHED: estimate("M-W3", 70),
        DAYS[8]: estimate("M-A1", 50),
    }  # a reading and a day that is absent
    month = inputs(at, roster, watch=use.watch, accepted=accepted, **how)
    days = [settle_day(day) for day in month.days()] if whole else list(month.settled())
    return [
        *map(plain, days),
        plain([month.span_energy, month.span_measured, month.span_incomplete]),
        plain(list(month.meter_energy(METERS))),
        plain(month.contract_wh),
        [plain(one) for one in month.findings()],
        plain([use.periods, use.missing, use.spot, use.spot_missing]),
    ]


def plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if is_dataclass(value):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    return value


def test_the_month_stands_where_it_is_told_to(spread_home: Home) -> None:
    """W2 has meters in two cities on one day, W3 moves, and a revision reaches qingdao and yantai alone."""
    place = {
        (meter, curve.date): curve.city(row)
        for curve in curve_days(spread_home, "meter_readings", JULY.first, JULY.after)
        for row, meter in enumerate(curve.keys["meter_id"].to_pylist())
    }
    assert (place["M-W2-a", DAYS[0]], place["M-W2-b", DAYS[0]]) == ("jinan", "yantai")
    assert (place["M-W3", DAYS[10]], place["M-W3", DAYS[11]]) == ("qingdao", "yantai")
    assert ("M-W2-a", DAYS[7]) not in place


@pytest.mark.parametrize("who", ["W1", "W2", "W3", "W4", "W5", "R1", "SGCC"])
def test_a_users_energy_is_the_sum_of_its_meters_wherever_they_stand(
    spread_home: Home, roster: Roster, who: str
) -> None:
    row = roster.users.index(who)
    members = [one for one, book in BOOK.items() if book == who] or [who]
    for day in inputs(spread_home, roster).settled():
        energy = day.users["energy_real_time"]
        expected = sum(wh_of(one, day.day) for one in members)
        price = day.reference["intraday"]
        assert bool(energy.missing[row]) == any(has_gap(one, day.day) for one in members), day.day
        if not energy.missing[row]:
            assert energy.quantity[row] == expected.sum(), day.day
            assert energy.nano[row] == (expected * price).sum(), day.day


def test_positions_of_all_cities_reach_their_users(spread_home: Home, roster: Roster) -> None:
    drawn = positions()
    for day in inputs(spread_home, roster).days():
        for row, who in enumerate(roster.users):
            expected = drawn.get((who, day.day), np.zeros(96, np.int64))  # W5 before it is valid
            assert np.array_equal(day.position[row], expected)
        assert np.array_equal(day.schedule[0], drawn["G1", day.day])


def test_what_is_not_there_is_told_once_with_its_days(spread_home: Home, roster: Roster) -> None:
    month = inputs(spread_home, roster)
    list(month.settled())
    told = {(one.code, one.subject): one.evidence["dates"] for one in month.findings()}
    assert told == {
        ("missing_meter_day", "M-W2-a"): ["2022-07-08"],
        ("missing_meter_day", "M-A1"): ["2022-07-09"],
        ("missing_meter_day", "M-W4-a"): ["2022-07-21"],
        ("missing_reading", "M-W3"): ["2022-07-04"],
        ("missing_reading", "M-T2"): ["2022-07-06"],
        ("missing_reading", "M-W4-b"): ["2022-07-11"],
    }


@pytest.mark.parametrize("rows", [1, 1 << 40])
def test_quarter_hours_that_a_code_calls_estimated_are_not_measured(
    spread_home: Home, roster: Roster, rows: int
) -> None:
    """On the 5th a meter in qingdao and one in yantai have codes; of W2 only the meter M-W2-b."""
    month = inputs(spread_home, roster, only=DAYS[4], block_rows=rows)
    list(month.settled())
    estimated = dict(zip(roster.metered, (month.energy - month.measured).tolist(), strict=True))
    drawn = readings()
    first = (drawn["M-W2-b", DAYS[4]] * METERS["M-W2-b"][1] + 500) // 1000
    assert {who: wh for who, wh in estimated.items() if wh} == {
        "T1": wh_of("T1", DAYS[4])[:12].sum(),
        "W2": first[:12].sum(),
    }


@given(st.integers(1, 20), st.integers(1, 4), st.booleans())
@hypothesis_settings(max_examples=8)
def test_no_output_depends_on_the_size_of_a_block_or_the_number_of_workers(
    spread_home: Home, roster: Roster, rows: int, workers: int, whole: bool
) -> None:
    expected = everything(spread_home, roster, block_rows=1 << 40, workers=1, whole=True)
    assert everything(spread_home, roster, block_rows=rows, workers=workers, whole=whole) == expected


def test_a_day_read_again_is_the_day_that_was_settled_and_adds_nothing(
    spread_home: Home, roster: Roster
) -> None:
    month = inputs(spread_home, roster, accepted={PATCHED: estimate("M-W3", 70)}, block_rows=2)
    settled = {day.day: plain(day) for day in month.settled()}
    energy, told = month.span_energy.copy(), month.findings()
    for day in (DAYS[3], PATCHED):
        assert plain(settle_day(month.market(day))) == settled[day]
    assert np.array_equal(month.span_energy, energy)
    assert month.findings() == told


def test_a_deviation_above_the_position_is_settled_the_same_way(spread_home: Home, roster: Roster) -> None:
    days = list(inputs(spread_home, roster, block_rows=2).settled(positive_deviation=True))
    row, day = roster.users.index("W1"), days[0]
    above = np.maximum(wh_of("W1", day.day) - positions()["W1", day.day], 0).sum()
    assert day.positive_deviation is not None
    assert day.positive_deviation.quantity[row] == above


def test_a_user_price_weighted_by_generation_is_known_before_the_users_are_read(
    spread_home: Home, roster: Roster
) -> None:
    rules = RULES.model_copy(update={"hour_weight": "generation"})
    whole = [day.prices for day in inputs(spread_home, roster, rules=rules, block_rows=1 << 40).days()]
    parts = list(inputs(spread_home, roster, rules=rules, block_rows=1).settled())
    simple = list(inputs(spread_home, roster).settled())
    assert [plain(one.user_real_time) for one in whole] == [plain(one.reference["intraday"]) for one in parts]
    assert any(
        plain(one.reference) != plain(other.reference) for one, other in zip(parts, simple, strict=True)
    )


def test_mechanism_energy_of_a_user_in_two_blocks_is_rounded_on_its_sum(
    spread_home: Home, roster: Roster
) -> None:
    share = pd.DataFrame(
        [["W2", "mechanism", Decimal("0.333333"), date(2022, 1, 1), None]],
        columns=["participant_id", "what", "share", "valid_from", "valid_to"],
    )
    records = [read_records(spread_home, name) for name in ROSTER_TABLES[:3]]
    shared = Roster(JULY, *records, share)
    (less,) = RULES.capacity_less_mechanism
    rules = RULES.model_copy(
        update={
            "capacity_less_mechanism": (
                less.model_copy(update={"value": True, "valid_from": date(2022, 1, 1)}),
            )
        }
    )
    (day,) = inputs(spread_home, shared, rules=rules, block_rows=1, only=DAYS[0]).settled()
    used = wh_of("W2", DAYS[0])
    apart = (used * 333_333 + 500_000) // 1_000_000
    row = shared.users.index("W2")
    assert day.users["capacity_compensation"].quantity[row] == (used - apart).sum()


@pytest.mark.parametrize("rows", [1, 1 << 40])
def test_a_participant_day_past_int64_is_refused_wherever_its_meters_stand(
    spread_home: Home, roster: Roster, rows: int
) -> None:
    """T1 in qingdao and T2 in yantai have 0.6 of the bound each; only their retailer's sum passes it (ruling 9)."""
    wh = int(0.6 * np.iinfo(np.int64).max / 96 / 490_000)
    day = DAYS[1]
    one = estimate("M-T1", wh)
    both = DayPatch(
        ("M-T1", "M-T2"), *(np.concatenate([part, part]) for part in (one.changed, one.readings, one.quality))
    )
    alone = inputs(spread_home, roster, accepted={day: one}, only=day, block_rows=rows)
    assert not next(alone.settled()).users["energy_real_time"].missing.any()
    with pytest.raises(OverflowBoundError, match="real-time energy"):
        list(inputs(spread_home, roster, accepted={day: both}, block_rows=rows).settled())


def test_a_missing_value_stays_missing_in_every_block(spread_home: Home, roster: Roster) -> None:
    day = DAYS[3]
    (market,) = inputs(spread_home, roster, only=day, block_rows=1).days()
    row = roster.users.index("W3")
    assert (market.use[row] == MISSING).all()
    assert not (np.delete(market.use, row, axis=0) == MISSING).any()
    assert settle_day(replace(market)).system.use is None


@pytest.mark.parametrize("rows", [1, 3, 1 << 40])
def test_reactive_energy_is_the_sum_of_both_flows_of_all_meters(
    spread_home: Home, roster: Roster, rows: int
) -> None:
    """T1 lacks a week of its lagging flow, T2 one quarter-hour; A2 has no reading and is left out."""
    found = reactive_energy(spread_home, JULY, roster, CONSUMERS, None, block_rows=rows)
    drawn = reactive()

    def varh(*meters: str) -> int:
        return sum(
            int(((one * METERS[meter][1] + 500) // 1000).sum())
            for (meter, _, _), one in drawn.items()
            if meter in meters
        )

    assert found == {"W1": varh("M-W1"), "W2": varh("M-W2-a", "M-W2-b"), "T1": None, "T2": None}


@pytest.mark.parametrize("rows", [1, 4, 1 << 40])
def test_the_load_of_who_responds_is_that_of_its_meters_wherever_they_stand(
    spread_home: Home, rows: int
) -> None:
    people = ("W2", "W3", "W4", "W5")
    book = read_loads(spread_home, people, date(2022, 6, 29), JULY.after, None, block_rows=rows)
    for row, who in enumerate(people):
        for number, day in enumerate(book.dates):
            kw = book.kw[row, number]
            if day < JULY.first or (who == "W5" and day < date(2022, 7, 15)):
                assert np.isnan(kw).all(), (who, day)
                continue
            meters = [meter for meter, (owner, *_) in METERS.items() if owner == who]
            lost = {DAYS[number - 1] for meter, number in ABSENT if meter in meters}
            holed = {DAYS[number - 1] for meter, number in GAPS if meter in meters}
            expected = np.where(day in lost, np.nan, wh_of(who, day) / 250)
            if day in holed:
                expected[29] = np.nan
            assert np.array_equal(kw, expected, equal_nan=True), (who, day)
