"""Our lines against the trading centre's statement: every kind of error is told, and nothing else is."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.profiles import profile
from settlement.reconcile.compare import Ours, Stated, compare
from settlement.reconcile.findings import findings
from settlement.reconcile.patterns import recognised
from settlement.reconcile.subjects import subjects

RULES = profile("SD_2022")
LIMITS = RULES.reconciled.limits(date(2022, 7, 1))
KNOWN = subjects(RULES.settled[1], LIMITS.subjects)


def of(*lines, limits=LIMITS):
    """(code, subject) of every finding over pairs (ours, stated); either side None where it has no row."""
    ours = [Ours(who, code, "jinan", wh, fen) for (who, code, wh, fen), _ in lines if wh != ()]
    stated = [Stated(*row) for _, row in lines if row is not None]
    compared, strangers = compare(ours, stated, KNOWN, limits)
    compared, groups = recognised(compared, limits)
    return {
        (one.code.removeprefix("reconcile_"), one.subject): one.amount_at_stake_fen
        for one in findings(compared, groups, strangers)
    }


def line(who="W1", code="energy_real_time", wh=50_000_000, fen=2_000_000, told=()):
    """A line of ours and the same row in the statement, or ``told`` = (energy, amount), None for no row."""
    row = None if told is None else (who, code, *(told or (wh, fen)))
    return (who, code, wh, fen), row


def absent(who, code, wh, fen):
    """A row of the statement that we have no line for."""
    return (who, code, (), None), (who, code, wh, fen)


def test_two_equal_sides_give_no_finding():
    assert of(line(), line("W2", "congestion"), line("W3", "loss", None, -5, (0, -5))) == {}


def test_a_fen_of_rounding_is_no_finding_and_two_are():
    assert of(line(told=(50_000_000, 2_000_001))) == {}
    assert of(line(fen=200, told=(50_000_000, 202))) == {("other_price", "W1/energy_real_time"): 2}


def test_a_large_line_may_differ_by_its_relative_tolerance():
    assert of(line(fen=10**12, told=(50_000_000, 10**12 + 10**5))) == {}
    assert of(line(fen=10**12, told=(50_000_000, 10**12 + 10**5 + 1))) != {}


@pytest.mark.parametrize(
    ("told", "code", "verdict", "at_stake"),
    [
        (None, "energy_real_time", "missing_there", 2_000_000),
        ((51_500_000, 2_060_000), "energy_real_time", "other_quantity", 60_000),
        ((51_500_000, 2_000_000), "energy_real_time", "other_quantity", 0),
        ((50_000_000, 2_060_000), "energy_real_time", "other_price", 60_000),
        ((50_000_000, 2_060_000), "demand_response_charge", "other_amount", 60_000),
        ((51_500_000, 2_200_000), "energy_real_time", "other_quantity_and_price", 200_000),
        ((50_000_000, -2_000_000), "energy_real_time", "sign_reversed", 4_000_000),
        ((100_000_000, 4_000_000), "energy_real_time", "duplicate_row", 2_000_000),
        ((50_000_000, 2_000_000_000), "energy_real_time", "factor", 1_998_000_000),
        ((50_000_000, 200), "energy_real_time", "factor", 1_999_800),
    ],
)
def test_one_line_that_is_wrong_is_told_by_its_kind(told, code, verdict, at_stake):
    assert of(line(code=code, told=told), line("W2")) == {(verdict, f"W1/{code}"): at_stake}


def test_a_line_that_only_the_centre_has_is_missing_here():
    assert of(line(), absent("W9", "0202030002", 5, -700)) == {
        ("missing_here", "W9/interprovincial_gain_loss"): 700
    }


def test_two_participants_with_each_others_line_are_one_finding():
    swapped = (
        line("W1", wh=10_000_000, fen=400_000, told=(20_000_000, 900_000)),
        line("W2", wh=20_000_000, fen=900_000, told=(10_000_000, 400_000)),
    )
    assert of(*swapped) == {("swapped", "W1/W2/energy_real_time"): 500_000}


def test_a_line_stated_for_another_participant_is_a_swap_too():
    assert of(line("W1", told=None), absent("W2", "0102020301", 50_000_000, 2_000_000)) == {
        ("swapped", "W1/W2/energy_real_time"): 2_000_000
    }


def test_a_row_that_stands_twice_under_two_codes_is_counted_again():
    ours, row = line()
    again = ("W1", "0102020301", 50_000_000, 2_000_000)
    assert of((ours, row), (("W1", "energy_real_time", (), None), again)) == {
        ("duplicate_row", "W1/energy_real_time"): 2_000_000
    }


def test_charges_that_the_centre_states_as_one_sum_are_compared_as_their_sum():
    parts = [
        (("W1", code, 7, fen), None)
        for code, fen in (("startup_compensation_share", 300), ("regulation_service_share", 200))
    ]
    assert of(*parts, absent("W1", "0101090101", 7, 500)) == {}
    assert list(of(*parts, absent("W1", "0101090101", 7, 600))) == [
        ("other_amount", "W1/startup_compensation_share")
    ]


def test_a_code_nobody_knows_is_said_with_its_money():
    assert of(line(), absent("W1", "0199990001", 5, 700)) == {("unknown_code", "0199990001"): 700}


def test_bills_of_consumers_are_not_compared():
    assert of((("A1", "agency_energy", 5, 700), None)) == {}


def test_our_line_without_an_amount_is_not_called_wrong_but_waits():
    ours = ("W1", "energy_real_time", 5, None)
    assert of((ours, ("W1", "energy_real_time", 5, 700))) == {("ours_unknown", "W1/energy_real_time"): 700}
    assert of((ours, None)) == {}


def test_a_column_with_tax_is_one_finding_and_a_wrong_line_in_it_another():
    taxed = [line(f"W{n}", fen=1_000 * n, told=(50_000_000, 1_130 * n)) for n in range(10, 40)]
    wrong = line("W1", fen=50_000, told=(50_000_000, 51_000))
    found = of(*taxed, wrong)
    assert found == {
        ("factor_of_many", "subject/energy_real_time"): sum(130 * n for n in range(10, 40)),
        ("other_price", "W1/energy_real_time"): 1_000,
    }


def test_a_participant_in_another_unit_is_one_finding_of_its_city():
    codes = ("energy_real_time", "energy_day_ahead", "contract", "congestion", "demand_response_charge")
    told = [line("W1", code, fen=7_000_000 + n, told=(50_000_000, 700)) for n, code in enumerate(codes)]
    assert list(of(*told, *(line("W2", code) for code in codes))) == [("factor_of_many", "participant/W1")]


def test_a_column_whose_signs_are_turned_is_one_finding():
    turned = [line(f"W{n}", fen=1_000 * n, told=(50_000_000, -1_000 * n)) for n in range(10, 20)]
    assert list(of(*turned)) == [("factor_of_many", "subject/energy_real_time")]


def test_small_differences_that_add_up_are_one_finding_of_their_charge():
    fen_up = [line(f"W{n}", told=(50_000_000, 2_000_001)) for n in range(101)]
    assert of(*fen_up) == {("adds_up", "subject/energy_real_time"): 101}


def test_small_differences_to_one_side_are_said_before_they_add_up():
    up = [line(f"W{n}", told=(50_000_000, 2_000_001)) for n in range(22)]
    assert of(*up) == {("drift", "subject/energy_real_time"): 22}
    assert of(*up[:20]) == {}  # so few may lean by chance: 2 x 2^-20 is above one in a million


def test_small_differences_to_both_sides_are_nothing():
    noise = [line(f"W{n}", told=(50_000_000, 2_000_000 + (-1) ** n)) for n in range(90)]
    assert of(*noise) == {}


def test_a_participants_own_small_differences_add_up_over_its_charges():
    low = replace(LIMITS, cumulative_cny=Decimal("0.04"), cumulative_relative=Decimal(0))
    codes = ("energy_real_time", "energy_day_ahead", "contract", "congestion", "demand_response_charge")
    up = [line("W1", code, told=(50_000_000, 2_000_001)) for code in codes]
    assert of(*up, limits=low) == {("adds_up", "participant/W1"): 5}


CODES = sorted(KNOWN.charges)
ERRORS = {
    "missing_there": lambda wh, fen: None,
    "other_quantity": lambda wh, fen: (wh * 2 + wh // 50, fen * 2 + fen // 50),
    "other_price": lambda wh, fen: (wh, fen + fen // 9),
    "sign_reversed": lambda wh, fen: (wh, -fen),
    "duplicate_row": lambda wh, fen: (2 * wh, 2 * fen),
    "factor": lambda wh, fen: (wh, 1000 * fen),
}


@given(
    st.data(),
    st.lists(st.tuples(st.integers(0, 9), st.sampled_from(CODES)), min_size=8, max_size=60, unique=True),
)
def test_in_a_random_market_seeded_errors_are_found_by_kind_and_nothing_else_is(data, keys):
    """Energy in whole MWh and a price a line; up to four wrong lines among others a fen apart to either side."""
    one_charge = [key for key in keys if len(KNOWN.charges[key[1]]) == 1]
    wrong = dict(
        data.draw(
            st.lists(
                st.tuples(st.sampled_from(one_charge or keys), st.sampled_from(sorted(ERRORS))),
                max_size=min(4, len(one_charge)),
                unique_by=lambda pair: pair[0],
            )
        )
    )
    lines, expected = [], set()
    for place, (number, code) in enumerate(keys):
        who, mwh = f"P{number}", 100 + 37 * place  # no two lines alike, so that no two can be swapped
        wh, fen = mwh * 1_000_000, mwh * 100 * data.draw(st.sampled_from((-397, 211, 389))) // 1
        charge = KNOWN.charges[code][0]
        error = wrong.get((number, code))
        noise = data.draw(st.sampled_from((-1, 0, 0, 0, 1)))
        told = (wh, fen + noise) if error is None else ERRORS[error](wh, fen)
        lines.append(line(who, charge, wh, fen, told))
        if error is not None:
            of_share = error == "other_price" and code not in KNOWN.priced
            expected.add(("other_amount" if of_share else error, f"{who}/{code}"))
    assert set(of(*lines)) == expected
