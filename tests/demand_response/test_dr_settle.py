"""An event settled on one screen: programme terms, outcomes, and what is missing (A3, F1; rulings 23 to 26)."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from demand_response.batch import LoadBook
from demand_response.events import Event, Kind, Program
from demand_response.settle import Commitment, settle_event

DATE = dt.date(2022, 7, 20)
EVENT = Event(event_id="E1", program_id="P1", date=DATE, first_period=57, last_period=64)  # 14:00-16:00
HISTORY = pd.DataFrame(
    np.full((10, 96), 1000.0), index=[DATE - dt.timedelta(days=back) for back in range(1, 15) if back % 7 not in (3, 4)]
)  # fmt: skip


def program(**terms):
    return Program(
        **{
            "program_id": "P1", "kind": "emergency", "product": "day_ahead", "direction": "cut",
            "price_unit": "per_kw_event", "price_cny": Decimal(15),
        } | terms
    )  # fmt: skip


def day(responded, missing=()):
    load = np.full(96, 1000.0)
    load[56:64] -= responded
    for period in missing:
        load[period - 1] = np.nan
    return load


def book(histories, days):
    """What is known of each participant, as one book of loads."""
    dates = sorted({DATE, *(date for history in histories.values() for date in history.index)})
    people = sorted({*histories, *days})
    kw = np.full((len(people), len(dates), 96), np.nan)
    for row, who in enumerate(people):
        for date, load in histories.get(who, HISTORY.iloc[:0]).iterrows():
            kw[row, dates.index(date)] = load
        kw[row, dates.index(DATE)] = days.get(who, np.nan)
    return LoadBook(tuple(people), tuple(dates), kw)


def settle(event_day, *, terms=None, history=HISTORY, event=EVENT, **award):
    commitment = Commitment(participant_id="u1", committed_kw=Decimal(300), **award)
    days = {} if event_day is None else {"u1": event_day}
    histories = {} if history is None else {"u1": history}
    (outcome,) = settle_event(event, terms or program(), [commitment], book(histories, days))
    return outcome


def test_tc08_tc09_tc10_from_readings_to_fen():
    paid = {kw: settle(day(kw)).payment_fen for kw in (276, 400, 240, 239.99)}
    assert paid == {276: 4_140_00, 400: 5_400_00, 240: 3_600_00, 239.99: 0}


def test_an_outcome_carries_baseline_response_and_energy():
    outcome = settle(day(276))
    assert outcome.baseline.curve.tolist() == [1000] * 8
    assert (outcome.response.rate, outcome.code, outcome.missing_reason) == (0.92, "", "")
    assert outcome.energy_wh == 276_000 * 2  # 276 kW for two hours
    assert outcome.reduction_wh == (69_000,) * 8
    assert settle(day(200)).code == "below_floor"


def test_an_energy_price_pays_the_hours_of_the_event():
    # 276 kW x 2 h x 0.8 元/kWh
    outcome = settle(day(276), terms=program(price_unit="per_kwh", price_cny=Decimal("0.8")))
    assert outcome.payment_fen == 441_60
    assert settle(day(276), price_cny=Decimal(1), price_unit="per_kwh").payment_fen == 552_00


def test_filling_is_settled_in_its_own_direction():
    event = Event(
        event_id="E2", program_id="P1", date=DATE, first_period=57, last_period=64, direction="fill"
    )
    outcome = settle(day(-300), terms=program(direction="fill"), event=event)
    assert (outcome.payment_fen, outcome.energy_wh) == (4_500_00, 600_000)
    assert outcome.reduction_wh == (-75_000,) * 8


def test_a_longer_run_earns_its_step_of_the_time_table():
    steps = ((60, Decimal(1)), (120, Decimal("1.5")))
    assert settle(day(300), terms=program(time_coefficients=steps)).payment_fen == 6_750_00
    short = day(300)
    short[56] = 990.0  # seven quarter-hours remain
    assert settle(short, terms=program(time_coefficients=steps, floor=Decimal("0.5"))).payment_fen < 4_500_00
    assert program(time_coefficients=steps).time_coefficient(45) == 0


PENALTY = {"penalty_share": Decimal("0.5"), "penalty_factor": Decimal("0.5"), "price_unit": "per_kwh"}


def test_a_shortfall_below_half_the_award_is_a_penalty_of_its_own():
    # award 300, metered 50: (150 - 50) x 2 h x 3 x 0.5 = 300; payment 0
    outcome = settle(day(50), terms=program(**PENALTY, price_cny=Decimal(3)))
    assert (outcome.payment_fen, outcome.penalty_fen) == (0, 300_00)
    assert settle(day(300), terms=program(**PENALTY, price_cny=Decimal(3))).penalty_fen == 0
    assert settle(day(50)).penalty_fen == 0  # a programme without penalty


@pytest.mark.parametrize(
    ("outcome", "code", "words"),
    [
        (
            lambda: settle(day(300), history=HISTORY.iloc[:4]),
            "not_enough_history",
            "u1: 4 usable workday days",
        ),
        (lambda: settle(day(300), history=None), "not_enough_history", "u1: 0 usable workday days"),
        (
            lambda: settle(day(300, missing=[60])),
            "event_day_gap",
            "1 of 8 readings in the event window are missing",
        ),
        (lambda: settle(None), "event_day_gap", "8 of 8 readings"),
        (
            lambda: settle(day(300), terms=program(price_cny=None)),
            "missing_price",
            "no price for its response",
        ),
        (
            lambda: settle(
                day(300),
                terms=program(**PENALTY, price_cny=Decimal(3)),
                price_cny=Decimal(15),
                price_unit="per_kw_event",
            ),
            "missing_price",
            "no price for a missing kWh",
        ),
    ],
)
def test_what_cannot_be_calculated_is_missing_and_never_zero(outcome, code, words):
    result = outcome()
    assert (result.payment_fen, result.penalty_fen, result.code) == (None, None, code)
    assert words in result.missing_reason


def test_a_gap_of_one_participant_does_not_touch_the_others():
    awards = [Commitment(participant_id=who, committed_kw=Decimal(300)) for who in ("u2", "u1")]
    outcomes = settle_event(
        EVENT,
        program(),
        awards,
        book({"u1": HISTORY, "u2": HISTORY}, {"u1": day(300, [57]), "u2": day(300)}),
    )
    assert [(o.participant_id, o.payment_fen) for o in outcomes] == [("u1", None), ("u2", 4_500_00)]


def test_days_excluded_for_a_participant_are_not_used():
    awards = [Commitment(participant_id="u1", committed_kw=Decimal(300))]
    off = {"u1": {HISTORY.index[0]: "event"}}
    (outcome,) = settle_event(EVENT, program(), awards, book({"u1": HISTORY}, {"u1": day(300)}), excluded=off)
    assert outcome.baseline.excluded == off["u1"]


def test_i4_the_same_inputs_give_the_same_outcome():
    first, again = settle(day(333.333)), settle(day(333.333))
    assert (first.response, first.payment_fen, first.reduction_wh) == (
        again.response,
        again.payment_fen,
        again.reduction_wh,
    )


def test_an_economic_event_is_judged_and_recorded_but_not_paid():
    awards = [Commitment(participant_id="u1", committed_kw=Decimal(300))]
    loads = book({"u1": HISTORY}, {"u1": day(300)})
    (outcome,) = settle_event(EVENT, program(kind="economic"), awards, loads, pays=False)
    assert (outcome.payment_fen, outcome.penalty_fen, outcome.response.confirmed_kw) == (0, 0, 300)
    (paid,) = settle_event(EVENT, program(kind="economic"), awards, loads)
    assert paid.payment_fen == 4_500_00


def test_participants_with_different_methods_are_settled_side_by_side():
    methods = {"u1": "mean_5", "u2": "high_4_of_5", "u3": "regression", "u4": "mean_5"}
    awards = [
        Commitment(participant_id=who, committed_kw=Decimal(300), method=method)
        for who, method in methods.items()
    ]
    loads = book(dict.fromkeys(methods, HISTORY), dict.fromkeys(methods, day(300)))
    outcomes = settle_event(EVENT, program(), awards, loads)
    assert [one.participant_id for one in outcomes] == list(methods)
    assert {one.payment_fen for one in outcomes} == {4_500_00}


def test_a_book_of_loads_has_one_row_a_participant_and_rising_dates():
    with pytest.raises(ValueError, match="one row a participant"):
        LoadBook(("a", "a"), (DATE,), np.ones((2, 1, 96)))
    with pytest.raises(ValueError, match="each date once, the oldest first"):
        LoadBook(("a",), (DATE, DATE), np.ones((1, 2, 96)))


def test_an_award_named_twice_or_another_programme_is_refused():
    twice = [Commitment(participant_id="u1", committed_kw=Decimal(300))] * 2
    with pytest.raises(ValueError, match="u1 stands twice in the awards of event E1"):
        settle_event(EVENT, program(), twice, book({}, {}))
    with pytest.raises(ValueError, match="settle it with its own program"):
        settle_event(EVENT, program(program_id="P2"), [], book({}, {}))
    with pytest.raises(ValueError, match="settle it with its own program"):
        settle_event(EVENT, program(direction="fill"), [], book({}, {}))


@pytest.mark.parametrize(
    ("terms", "sentence"),
    [
        ({"kind": "urgent"}, "P1: kind is 'urgent'; choose one of emergency, economic"),
        ({"price_cny": Decimal(-1)}, "price_cny is -1; give 0 or more"),
        ({"floor": Decimal("1.3")}, "0 < floor <= cap"),
        ({"minimum_minutes": -1}, "minimum_minutes is -1"),
        ({"time_coefficients": ((120, Decimal(1)), (60, Decimal(2)))}, "rising minutes"),
        ({"penalty_share": Decimal("0.5")}, "give both or neither"),
        (PENALTY | {"price_unit": "per_kw_event"}, "give penalty_price_cny_per_kwh"),
    ],
)
def test_a_programme_with_impossible_terms_is_refused(terms, sentence):
    with pytest.raises(ValueError, match=sentence):
        program(**terms)


def test_only_emergency_response_has_a_cost_to_share():
    assert program().shares_cost
    assert program().kind is Kind.EMERGENCY
    assert not program(kind="economic").shares_cost


def test_an_event_knows_its_length_and_whether_day_ahead_clearing_knew_of_it():
    called = dt.datetime(2022, 7, 19, 16, tzinfo=dt.timezone(dt.timedelta(hours=8)))
    event = Event(event_id="E", program_id="P", date=DATE, first_period=1, last_period=6, announced_at=called)
    assert event.hours == Decimal("1.5")
    assert event.known_to_day_ahead(called + dt.timedelta(hours=1))
    assert not event.known_to_day_ahead(called)
    with pytest.raises(ValueError, match="E1 has no announced_at"):
        EVENT.known_to_day_ahead(called)
    with pytest.raises(ValueError, match="from period 90 to 97"):
        Event(event_id="E", program_id="P", date=DATE, first_period=90, last_period=97)
