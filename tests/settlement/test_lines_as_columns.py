"""Lines and postings kept as columns say what they say one by one, whatever their order and number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.money import OverflowBoundError
from settlement.ledger import balances, post
from settlement.lines import Known, Line, Lines, optional
from settlement.postings import Posting, Postings
from tests.settlement.test_consumer_bills import MATRIX

CODES = ("contract", "energy_real_time", "retail_energy")
maybe = st.none() | st.integers(-(10**15), 10**15)
some_lines = st.lists(
    st.builds(
        Line,
        st.sampled_from(("W1", "W2", "青岛", "")),
        st.sampled_from(CODES),
        st.sampled_from(("jinan", None)),
        maybe,
        maybe,
        st.none() | st.integers(0, 10**6),
        st.booleans(),
    ),
    max_size=12,
)


@given(some_lines)
def test_columns_give_back_every_line(lines: list[Line]) -> None:
    of = Lines.of(lines)
    assert list(of) == lines == [of[place] for place in range(len(of))]
    assert list(of[1:3]) == lines[1:3]
    assert of == lines
    known = [line.amount_fen for line in lines]
    assert of.total_fen == (None if None in known else sum(known))


@given(st.lists(some_lines, max_size=4))
def test_lots_of_lines_joined_and_sorted_are_the_sorted_lines(lots: list[list[Line]]) -> None:
    every = [line for lot in lots for line in lot]
    joined = Lines.joined(map(Lines.of, lots))
    assert list(joined) == every
    assert list(joined.in_order()) == sorted(every, key=lambda line: (line.participant_id, line.charge_code))
    assert joined.participants == sorted({line.participant_id for line in every})
    assert joined.incomplete_codes == sorted({line.charge_code for line in every if line.amount_fen is None})


@given(some_lines)
def test_lines_are_chosen_by_charge_and_by_participant(lines: list[Line]) -> None:
    of = Lines.of(lines)
    assert list(of.with_codes(["contract"])) == [line for line in lines if line.charge_code == "contract"]
    assert list(of.of_names(["W1", "nobody"])) == [line for line in lines if line.participant_id == "W1"]


def test_a_charge_of_some_of_the_participants_has_their_lines() -> None:
    made = Lines.of_charge(
        "contract",
        ("W1", "W2", "W3"),
        None,
        Known.of([5, None]),
        city={"W1": "jinan"},
        measured_ppm={"W3": 7},
        who=Known.of([0, 2]).values,
    )
    assert list(made) == [
        Line("W1", "contract", "jinan", None, 5, None),
        Line("W3", "contract", None, None, None, 7),
    ]


def test_a_line_past_int64_is_refused_in_a_sentence() -> None:
    with pytest.raises(OverflowBoundError, match="would pass int64; check the units"):
        Lines.of([Line("W1", "contract", None, 10**19, 1)])


@given(some_lines)
def test_each_line_with_an_amount_is_posted_twice_and_accounts_hold_their_sums(lines: list[Line]) -> None:
    postings = post(lines, [], MATRIX)
    account_of = {charge.code: charge.account for charge in MATRIX.charges}
    by_hand = []
    for who, code, _, _, fen, _, _ in lines:
        if fen is not None:
            by_hand.append(Posting(f"participant:{who}", who, code, "participant", fen, who))
            by_hand.append(Posting(account_of[code], None, code, "clearing", -fen, who))
    assert list(postings) == by_hand
    assert list(Postings.joined([by_hand[:1], Postings.of(by_hand[1:])])) == by_hand
    assert postings.total_fen == 0
    closing = {one.account: one.closing_fen for one in balances(postings, MATRIX, {"rounding": 3}, ["W9"])}
    for account, fen in closing.items():
        opening = 3 if account == "rounding" else 0
        assert fen == opening + sum(one.amount_fen for one in by_hand if one.account == account)
    assert "participant:W9" in closing


def test_missing_numbers_come_back_as_none() -> None:
    assert optional(Known.of([1, None, -2])) == [1, None, -2]
