"""Rows that hold on a day or in a month, and a participant's records in order: the same as asked row by row."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from jobs.audit_month import TERMS, histories
from jobs.month_facts import classes_by_day
from jobs.roster import Roster, dated_in, valid_in, valid_on
from market.periods import Month
from settlement.audit.accounts import Record

JULY = Month(2022, 7)
DAYS = st.integers(-40, 40).map(lambda n: date(2022, 7, 15) + timedelta(days=n))
ENDS = st.one_of(st.none(), st.just(float("nan")), DAYS)


def holds(row: dict, first: date, after: date) -> bool:
    return row["valid_from"] < after and (pd.isna(row["valid_to"]) or first < row["valid_to"])


@given(st.lists(st.tuples(DAYS, ENDS)), DAYS)
def test_rows_that_hold_are_those_a_look_at_each_finds(rows: list, day: date) -> None:
    frame = pd.DataFrame(rows, columns=["valid_from", "valid_to"], dtype=object)
    frame["date"] = frame["valid_from"]
    each = frame.to_dict("records")
    assert valid_on(frame, day).index.tolist() == [
        n for n, row in enumerate(each) if holds(row, day, day + timedelta(days=1))
    ]
    assert valid_in(frame, JULY).index.tolist() == [
        n for n, row in enumerate(each) if holds(row, JULY.first, JULY.after)
    ]
    assert dated_in(frame, JULY).index.tolist() == [
        n for n, row in enumerate(each) if JULY.first <= row["date"] < JULY.after
    ]


RECORDS = st.lists(
    st.fixed_dictionaries(
        {
            "participant_id": st.sampled_from(["A", "B", "C"]),
            "valid_from": DAYS,
            "valid_to": ENDS,
            "kind": st.sampled_from(["retail_user", "agency_user"]),
            "city": st.sampled_from(["jinan", "", None]),
            "node": st.just("SD"),
            "voltage_kv": st.sampled_from([None, Decimal("10.000"), Decimal("35.000")]),
            "capacity_kva": st.sampled_from([None, Decimal("500.000")]),
            "tariff_class": st.sampled_from(["", "residents"]),
            "retailer_id": st.none(),
            "basic_fee": st.sampled_from([None, "capacity"]),
            "power_factor_standard": st.none(),
        }
    ),
    unique_by=lambda row: (row["participant_id"], row["valid_from"]),
)


@given(RECORDS)
def test_the_records_of_a_participant_are_its_rows_in_order_of_their_beginning(rows: list[dict]) -> None:
    frame = pd.DataFrame(rows, columns=["participant_id", "valid_from", "valid_to", *TERMS], dtype=object)
    plain: dict[str, tuple[Record, ...]] = {}
    for row in sorted(rows, key=lambda row: (row["participant_id"], row["valid_from"])):
        if row["valid_from"] < JULY.after:
            empty = {name for name in ("valid_to", *TERMS) if row[name] == "" or pd.isna(row[name])}
            record = Record(
                **{name: None if name in empty else row[name] for name in row if name != "participant_id"}
            )
            plain[row["participant_id"]] = (*plain.get(row["participant_id"], ()), record)
    assert histories(frame, JULY) == plain


def test_who_has_no_meter_needs_no_retailer_and_who_has_one_is_named() -> None:
    people = pd.DataFrame(
        [
            (who, kind, None, "jinan", "SD", date(2022, 1, 1), None)
            for who, kind in (("T1", "retail_user"), ("T2", "retail_user"), ("SGCC", "grid_company"))
        ],
        columns=["participant_id", "kind", "retailer_id", "city", "node", "valid_from", "valid_to"],
        dtype=object,
    )
    meters = pd.DataFrame(
        [("M-T2", "T2", Decimal("1.000"), 1, date(2022, 1, 1), None)],
        columns=["meter_id", "participant_id", "multiplier", "direction", "valid_from", "valid_to"],
        dtype=object,
    )
    contracts = pd.DataFrame(
        columns=["contract_id", "seller_id", "buyer_id", "price_cny_per_mwh", "valid_from", "valid_to"],
        dtype=object,
    )
    found = list(Roster(JULY, people, meters, contracts).findings())
    assert [(one.code, one.subject) for one in found] == [("retailer_unknown", "T2")]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["A", "B"]),
            st.sampled_from(["residents", "large_industry", "", None]),
            DAYS,
            ENDS,
        ),
        unique_by=lambda row: (row[0], row[2]),
    )
)
def test_the_class_of_a_day_is_that_of_the_record_that_holds_and_began_last(rows: list[tuple]) -> None:
    names = ["participant_id", "tariff_class", "valid_from", "valid_to"]
    frame = valid_in(pd.DataFrame(rows, columns=names, dtype=object), JULY)
    days = tuple(JULY.days())
    found = classes_by_day(frame, days)
    each = sorted(frame.to_dict("records"), key=lambda row: row["valid_from"])
    expected = {}
    for who in {row["participant_id"] for row in each if row["tariff_class"]}:
        mine = [row for row in each if row["participant_id"] == who and row["tariff_class"]]
        expected[who] = tuple(
            next(
                (row["tariff_class"] for row in reversed(mine) if holds(row, day, day + timedelta(days=1))),
                None,
            )
            for day in days
        )
    assert found == expected
