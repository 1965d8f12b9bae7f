"""Any deliveries, in any order, any number of times.

What "the same tables" means. Of each key the tables hold what the delivery says that came last of those that speak
of the key, counted by its first arrival, and of readings so for every quarter-hour: a file is silent where it has no
reading, unless it says ``missing``; a row counts from the moment on at which everything it refers to is known,
however late that is. So bytes that come again change nothing, deliveries that do not contradict each other may come
in any order, and what was known at a moment stays what was known at that moment. Compared are keys, values and
quality, not which delivery or city partition a value stands in. Readings come wide and long, whole days and parts.
"""

from __future__ import annotations

import shutil
from datetime import date
from itertools import permutations
from pathlib import Path

import pytest
from delivered import LONG, METERS, PARTICIPANTS, READINGS, put, reading
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.deliver import deliver
from market.curves import MISSING
from warehouse.curves import curve_days
from warehouse.deliveries import newest_recorded_at
from warehouse.home import Home, create, home
from warehouse.records import read_records

CONTRACTS = "contract_id,seller_id,buyer_id,price_cny_per_mwh,valid_from,valid_to\n"
PEOPLE, METER_IDS = ("U1", "U2", "U3"), ("M1", "M2", "M3")
DAYS = ("2022-07-01", "2022-07-02")
EXAMPLES = 8 if settings.get_current_profile_name() == "test" else 300
Delivery = tuple[str, tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]]  # table, rows of key and value


def rows_of(keys: st.SearchStrategy, values: st.SearchStrategy) -> st.SearchStrategy:
    return st.dictionaries(keys, values, min_size=1, max_size=3).map(lambda rows: tuple(sorted(rows.items())))


def deliveries() -> st.SearchStrategy[Delivery]:
    """Three people may be named, two are ever delivered without luck: some references are never known."""
    person, meter = st.sampled_from(PEOPLE), st.sampled_from(METER_IDS)
    small = st.integers(1, 3).map(str)
    return st.one_of(
        st.tuples(st.just("participants"), rows_of(st.tuples(person), st.tuples(small))),
        st.tuples(st.just("meters"), rows_of(st.tuples(meter), st.tuples(person))),
        st.tuples(st.just("contracts"), rows_of(st.sampled_from([("C1",), ("C2",)]), st.tuples(person, person, small))),
        st.tuples(st.just("meter_readings"), rows_of(st.tuples(meter, st.sampled_from(DAYS)), parts_of_days())),
        st.tuples(st.just("meter_readings_long"), rows_of(st.tuples(meter, st.sampled_from(DAYS)), parts_of_days())),
    )  # fmt: skip


def parts_of_days() -> st.SearchStrategy[tuple[str, ...]]:
    """Four blocks of six hours: a reading, nothing said, or a reading withdrawn; not a day of nothing at all."""
    block = st.sampled_from(["1", "2", "3", "", "x"])
    return st.tuples(block, block, block, block).filter(any)


def as_csv(delivery: Delivery) -> str:
    table, rows = delivery
    if table == "participants":
        lines = [f"{who},名{name},wholesale_user,jinan,2022-01-01,\n" for (who,), (name,) in rows]
        return PARTICIPANTS + "".join(lines)
    if table == "meters":
        return METERS + "".join(f"{meter},{who},1,1,2022-01-01,\n" for (meter,), (who,) in rows)
    if table == "contracts":
        lines = [f"{key},{seller},{buyer},{price},2022-01-01,\n" for (key,), (seller, buyer, price) in rows]
        return CONTRACTS + "".join(lines)
    if table == "meter_readings":
        return READINGS + "".join(wide_row(meter, day, blocks) for (meter, day), blocks in rows)
    return LONG + "".join(
        f"{meter},{day}T{hour:02d}:00,{kwh_of(block)},{quality_of(block)}\n"
        for (meter, day), blocks in rows
        for number, block in enumerate(blocks)
        if block
        for hour in range(6 * number, 6 * number + 6)
    )


def wide_row(meter: str, day: str, blocks: tuple[str, ...]) -> str:
    """A wide row has one quality: with ``missing`` its empty cells withdraw, with another they say nothing."""
    cells = [block.replace("x", "") for block in blocks for _ in range(24)]
    return reading(meter, day, *cells, quality="missing" if "x" in blocks else "measured")


def kwh_of(block: str) -> str:
    return "" if block == "x" else str(4 * int(block))


def quality_of(block: str) -> str:
    return "missing" if block == "x" else "measured"


def said_by(table: str, blocks: tuple[str, ...]) -> dict[int, str]:
    """What a row says of each block that it speaks of; the empty text is a reading withdrawn."""
    withdraws = table == "meter_readings" and "x" in blocks
    return {number: block.replace("x", "") for number, block in enumerate(blocks) if block or withdraws}


def expected(came: list[Delivery]) -> dict:
    """The rule, written down: deliveries by first arrival, the last that speaks of a key, references known."""
    distinct = list(dict.fromkeys(came))
    known = {"participants": set(), "meters": set()}
    tables: dict[str, dict] = {}
    needs = {
        "participants": lambda key, value: True,
        "meters": lambda key, value: value[0] in known["participants"],
        "contracts": lambda key, value: set(value[:2]) <= known["participants"],
    }
    for table, holds in needs.items():
        tables[table] = {
            key: value for of, rows in distinct if of == table for key, value in rows if holds(key, value)
        }
        if table in known:
            known[table] = {key[0] for key in tables[table]}
    days: dict[tuple[str, ...], dict[int, str]] = {}
    for of, rows in distinct:
        for key, blocks in rows if of.startswith("meter_readings") else ():
            if key[0] in known["meters"]:
                days[key] = days.get(key, {}) | said_by(of, blocks)
    tables["meter_readings"] = {
        key: tuple(said.get(block, "") for block in range(4)) for key, said in days.items()
    }
    return tables


def found(at: Home, as_of=None) -> dict:
    people = read_records(at, "participants", as_of=as_of)
    meters = read_records(at, "meters", as_of=as_of)
    contracts = read_records(at, "contracts", as_of=as_of)
    sides = zip(
        contracts["seller_id"], contracts["buyer_id"], contracts["price_cny_per_mwh"].map(str), strict=True
    )
    return {
        "participants": {
            (who,): (name.removeprefix("名"),)
            for who, name in zip(people["participant_id"], people["name"], strict=True)
        },
        "meters": {
            (meter,): (who,) for meter, who in zip(meters["meter_id"], meters["participant_id"], strict=True)
        },
        "contracts": {
            (key,): (seller, buyer, str(int(float(price))))
            for key, (seller, buyer, price) in zip(contracts["contract_id"], sides, strict=True)
        },
        "meter_readings": {
            (meter, str(day.date)): blocks_of(day.values[row])
            for day in curve_days(at, "meter_readings", date(2022, 7, 1), date(2022, 8, 1), as_of=as_of)
            for row, meter in enumerate(day.keys["meter_id"].to_pylist())
        },
    }


def blocks_of(values) -> tuple[str, ...]:
    """(96,) values as four blocks, each of one value throughout."""
    blocks = [set(block.tolist()) for block in values.reshape(4, 24)]
    assert all(len(block) == 1 for block in blocks)
    return tuple("" if (value := block.pop()) == MISSING else str(value // 1_000_000) for block in blocks)


@pytest.fixture(scope="module")
def new_home(tmp_path_factory):
    first = home(tmp_path_factory.mktemp("empty"))
    create(first)
    place = tmp_path_factory.mktemp("homes") / "one"

    def made() -> Home:
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(first.root, place)
        return home(place)

    return made


@settings(max_examples=EXAMPLES)
@given(st.data())
def test_any_order_and_any_number_of_times_gives_the_tables_of_the_rule(new_home, tmp_path_factory, data):
    files = data.draw(st.lists(deliveries(), min_size=2, max_size=6, unique=True), label="files")
    order = data.draw(st.permutations(range(len(files))), label="order")
    again = data.draw(st.lists(st.sampled_from(order), max_size=3), label="again")
    at, folder = new_home(), tmp_path_factory.mktemp("files")
    came: list[Delivery] = []
    moments = []
    for number in [*order, *again]:
        deliver_one(at, folder, files, number)
        came.append(files[number])
        assert found(at) == expected(came)
        moments.append((newest_recorded_at(at), expected(came)))
    for moment, then in moments:
        if moment is not None:
            assert found(at, as_of=moment) == then


def deliver_one(at: Home, folder: Path, files: list[Delivery], number: int) -> None:
    path = put(folder, f"{files[number][0]}_{number}.csv", as_csv(files[number]))
    assert deliver(at, path).status in ("accepted", "partly", "rejected", "duplicate")


def test_deliveries_that_do_not_contradict_each_other_give_the_same_tables_in_every_order(new_home, tmp_path):
    files: list[Delivery] = [
        ("participants", ((("U1",), ("1",)),)),
        ("meters", ((("M1",), ("U1",)), (("M2",), ("U2",)))),
        ("meter_readings", ((("M1", DAYS[0]), ("3", "", "", "1")), (("M2", DAYS[0]), ("2",) * 4))),
        ("meter_readings_long", ((("M1", DAYS[0]), ("", "2", "", "")),)),
        ("participants", ((("U2",), ("2",)),)),
    ]
    results = []
    for order in list(permutations(range(len(files))))[::13]:
        at = new_home()
        for number in order:
            deliver_one(at, tmp_path, files, number)
        results.append(found(at))
    assert all(result == results[0] for result in results)
    assert results[0]["meter_readings"] == {("M1", DAYS[0]): ("3", "2", "", "1"), ("M2", DAYS[0]): ("2",) * 4}
