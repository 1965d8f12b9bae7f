"""The roster of every day is what looking each participant, meter and contract up on that day gives."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.roster import METERED_KINDS, OUTSIDE, USER_KINDS, DayRoster, Roster
from market.money import scaled
from market.periods import Month
from market.tables import ParticipantKind

JULY = Month(2022, 7)
SUPPLIERS = ("retailer", "vpp")
PEOPLE = [f"P{n}" for n in range(6)]
DAYS = st.sampled_from([date(2022, 6, 1), *(date(2022, 7, 1) + timedelta(days=n) for n in (0, 4, 9, 30))])
ENDS = st.one_of(st.none(), DAYS.map(lambda day: day + timedelta(days=3)))
USING = ["wholesale_user", "retail_user", "agency_user", "residents", "retailer", "vpp", "outside"]
KINDS = {"demand": USING, "supply": ["generator", "storage", "outside"]}
WHO = st.sampled_from([*PEOPLE, "SGCC"])
TERMS = (st.sampled_from([None, "jinan", ""]), st.one_of(st.none(), WHO), DAYS, ENDS)
PARTICIPANTS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(PEOPLE[:4]), st.sampled_from(KINDS["demand"]), *TERMS),
        st.tuples(st.sampled_from(PEOPLE[4:]), st.sampled_from(KINDS["supply"]), *TERMS),
    ),
    unique_by=lambda row: (row[0], row[4]),
    max_size=12,
)
METERS = st.lists(
    st.tuples(
        st.sampled_from(["M1", "M2", "M3", "M4"]),
        WHO,
        st.sampled_from([Decimal("1.000"), Decimal("2.500")]),
        st.sampled_from([1, -1]),
        DAYS,
        ENDS,
    ),
    unique_by=lambda row: (row[0], row[4]),
)
CONTRACTS = st.lists(
    st.tuples(st.sampled_from(["C1", "C2", "C3"]), WHO, WHO, st.just(Decimal("372.500")), DAYS, ENDS),
    unique_by=lambda row: row[0],
)
COLUMNS = {
    "participants": ["participant_id", "kind", "city", "retailer_id", "valid_from", "valid_to", "node"],
    "meters": ["meter_id", "participant_id", "multiplier", "direction", "valid_from", "valid_to"],
    "contracts": ["contract_id", "seller_id", "buyer_id", "price_cny_per_mwh", "valid_from", "valid_to"],
}


def frame(table: str, rows: list[tuple]) -> pd.DataFrame:
    made = pd.DataFrame(rows, columns=COLUMNS[table]).astype(object).where(lambda cells: cells.notna(), None)
    return made.astype({"direction": "int64"}) if table == "meters" else made


def on(rows: list[dict], day: date) -> list[dict]:
    return [
        row for row in rows if row["valid_from"] <= day and (row["valid_to"] is None or day < row["valid_to"])
    ]


def in_july(row: dict) -> bool:
    return row["valid_from"] < JULY.after and (row["valid_to"] is None or JULY.first < row["valid_to"])


def plain(roster: Roster, tables: dict[str, list[dict]], day: date) -> dict[str, list]:
    """One day looked up one by one."""
    today = {row["participant_id"]: row for row in on(tables["participants"], day)}
    valid = on(tables["participants"], day)
    contracts = on(tables["contracts"], day)
    meters = [
        row
        for row in on(tables["meters"], day)
        if row["participant_id"] in roster.metered and row["participant_id"] in today
    ]
    row_of = {who: row for row, who in enumerate(roster.party_ids)}
    suppliers = {
        row["participant_id"] for row in tables["participants"] if in_july(row) and row["kind"] in SUPPLIERS
    }
    booked = {row["retailer_id"] for row in valid if row["kind"] == "retail_user"}
    booked |= {row[side] for row in contracts for side in ("buyer_id", "seller_id")}

    def holder(who: str) -> int:
        kind = today[who]["kind"] if who in today else None
        if kind == "residents":
            return roster.residents_row
        if kind == "agency_user":
            return row_of["SGCC"]
        if kind == "retail_user" and today[who]["retailer_id"] not in suppliers:
            return OUTSIDE
        return row_of.get(today[who]["retailer_id"] if kind == "retail_user" else who, OUTSIDE)

    def active(who: str) -> bool:
        kind = today[who]["kind"] if who in today else None
        settles = kind in (*USER_KINDS, "generator", "storage")
        return settles and (kind != "vpp" or who in booked)

    return {
        "meter_ids": [row["meter_id"] for row in meters],
        "participant": [roster.metered.index(row["participant_id"]) for row in meters],
        "multiplier": [scaled(row["multiplier"], 3) for row in meters],
        "direction": [row["direction"] for row in meters],
        "holder": [holder(who) for who in roster.metered],
        "contract_ids": [row["contract_id"] for row in contracts],
        "contract_price": [372_500 for _ in contracts],
        "buyer": [row_of.get(row["buyer_id"], OUTSIDE) for row in contracts],
        "seller": [row_of.get(row["seller_id"], OUTSIDE) for row in contracts],
        "buyer_ids": [row["buyer_id"] for row in contracts],
        "agency": [who in today and today[who]["kind"] == "agency_user" for who in roster.metered],
        "active": [active(who) for who in roster.party_ids],
    }


def as_lists(day: DayRoster, names: list[str]) -> dict[str, list]:
    return {name: list(getattr(day, name)) for name in names}


@settings(max_examples=60)
@given(PARTICIPANTS, METERS, CONTRACTS)
def test_every_day_of_a_month_is_as_looked_up_by_itself(people: list, meters: list, contracts: list) -> None:
    grid = ("SGCC", "grid_company", "province", None, date(2022, 1, 1), None)
    rows = {
        "participants": [(*row, "SD") for row in sorted([*people, grid], key=lambda row: (row[0], row[4]))],
        "meters": sorted(meters, key=lambda row: (row[0], row[4])),
        "contracts": sorted(contracts, key=lambda row: row[0]),
    }
    tables = {
        table: [dict(zip(COLUMNS[table], row, strict=True)) for row in given] for table, given in rows.items()
    }
    roster = Roster(JULY, *(frame(table, given) for table, given in rows.items()))
    for day in JULY.days():
        expected = plain(roster, tables, day)
        assert as_lists(roster.on(day), list(expected)) == expected

    held: dict[str, list[dict]] = {}
    for row in sorted(tables["participants"], key=lambda row: row["valid_from"]):
        if row["valid_from"] < JULY.after and (row["valid_to"] is None or JULY.first < row["valid_to"]):
            held.setdefault(row["participant_id"], []).append(row)
    assert roster.kind == {who: mine[-1]["kind"] for who, mine in held.items()}
    assert list(roster.kind) == list(roster.city) == list(roster.node) == sorted(held)
    for who, mine in held.items():
        said = [row["city"] for row in mine if row["city"] is not None]
        assert roster.city[who] == ((said[-1] if said else None) or None)
    assert roster.metered == tuple(
        sorted(who for who, mine in held.items() if {row["kind"] for row in mine} & set(METERED_KINDS))
    )


def test_meters_that_stay_are_the_same_objects_from_span_to_span() -> None:
    people = [
        ("SGCC", "grid_company", "province", None, date(2022, 1, 1), None, "SD"),
        ("W1", "wholesale_user", "jinan", None, date(2022, 1, 1), None, "SD"),
    ]
    meters = [("M1", "W1", Decimal("1.000"), 1, date(2022, 1, 1), None)]
    contracts = [("C1", "SGCC", "W1", Decimal("372.500"), date(2022, 7, 10), None)]
    first, second = Roster(
        JULY, frame("participants", people), frame("meters", meters), frame("contracts", contracts)
    ).spans
    assert len(second.contract_ids) == 1
    assert first.meter_ids is second.meter_ids


def test_an_agency_user_needs_the_one_grid_company() -> None:
    people = [("A1", str(ParticipantKind.AGENCY_USER), "jinan", None, date(2022, 1, 1), None, "SD")]
    with pytest.raises(ValueError, match="0 participants have kind grid_company"):
        Roster(JULY, frame("participants", people), frame("meters", []), frame("contracts", []))
