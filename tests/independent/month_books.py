"""The files of a month read into whole numbers, for the recalculation by hand.

Energy is Wh, a price 0.001 yuan/MWh; a curve is a list with one whole number for each quarter-hour of the month.
What is missing or stands twice raises: nothing is filled in here.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

QUARTERS = 96
CLOCK = [f"{minutes // 60:02d}:{minutes % 60:02d}" for minutes in range(15, 24 * 60 + 1, 15)]

Curve = list[int]
Row = Mapping[str, Any]
ByDay = defaultdict[Any, dict[date, Curve]]


class Contract(NamedTuple):
    seller: str
    buyer: str
    price: int
    energy: Curve


class Trade(NamedTuple):
    stage: str
    quarter: int
    seller: str
    price: int
    path: str
    sold_wh: Fraction
    bought_wh: int


class Section(NamedTuple):
    owner: str
    tariff: Fraction
    loss: Fraction


class Fee(NamedTuple):
    code: str
    day: int
    fen: int
    who: str


@dataclass(frozen=True)
class Books:
    """Everything the month is settled from: whole numbers, one book per settling party (ruling 1).

    stored: what a storage delivered less what it took, by quarter-hour, at its own ``stored_node``; its position in
    ``stored_day_ahead`` with the same sign.
    """

    length: int
    grid_company: str
    use: dict[str, Curve]
    residents_use: Curve
    agency_wh: dict[str, int]
    generation: dict[str, Curve]
    node: dict[str, str]
    bought_day_ahead: dict[str, Curve]
    sold_day_ahead: dict[str, Curve]
    stored: dict[str, Curve]
    stored_node: dict[str, str]
    stored_day_ahead: dict[str, Curve]
    contracts: list[Contract]
    trades: list[Trade]
    sections: dict[str, list[Section]]
    price: dict[tuple[str, str], Curve]
    capacity: dict[str, int]
    fees: list[Fee]
    standards: dict[str, list[int]]
    share: dict[tuple[str, str], list[Fraction]]
    unit_class: dict[str, str]
    metered: dict[str, Curve]
    beyond_days: dict[str, int]
    beyond_days_of_party: dict[str, int]


def whole(value: Decimal) -> int:
    """To the nearest whole number, a half away from zero."""
    return int(value.to_integral_value(ROUND_HALF_UP))


def half_up(value: Fraction) -> int:
    """To the nearest whole number, a half away from zero."""
    size = (2 * abs(value.numerator) + value.denominator) // (2 * value.denominator)
    return size if value >= 0 else -size


def added(curves: Iterable[Curve], length: int) -> Curve:
    total = [0] * length
    for curve in curves:
        total = [a + b for a, b in zip(total, curve, strict=True)]
    return total


def csv_rows(folder: Path, table: str) -> list[dict[str, str]]:
    with (folder / f"{table}.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def keyed(rows: Iterable[dict[str, str]], column: str) -> dict[str, dict[str, str]]:
    """One row a key; a record that changed within the month is beyond this recalculation."""
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        if row[column] in found:
            raise ValueError(
                f"{column} {row[column]} has two rows; the recalculation knows one state a month"
            )
        found[row[column]] = row
    return found


def parquet_rows(folder: Path, pattern: str, days: Sequence[date]) -> Iterator[dict[str, Any]]:
    month = [("date", ">=", days[0]), ("date", "<=", days[-1])]
    for path in sorted(folder.glob(pattern)):
        table = pq.read_table(path, filters=month)
        columns = [
            as_decimals(table[name]) if name in CLOCK else table[name].to_pylist()
            for name in table.column_names
        ]
        for values in zip(*columns, strict=True):
            yield dict(zip(table.column_names, values, strict=True))


def as_decimals(column: pa.ChunkedArray) -> list[Decimal]:
    """By way of text, which is four times faster than pyarrow's own decimals."""
    return [Decimal(text) for text in column.cast(pa.string()).to_pylist()]


def in_force(row: Row, day: date) -> bool:
    """valid_from inclusive, valid_to exclusive, empty is open (ruling 11)."""
    begin, end = row["valid_from"], row["valid_to"]
    return (not begin or date.fromisoformat(begin) <= day) and (not end or day < date.fromisoformat(end))


def days_of_month(first_day: date) -> list[date]:
    after = first_day + timedelta(days=32)
    return [first_day + timedelta(days=n) for n in range((after.replace(day=1) - first_day).days)]


def put(curves: ByDay, key: Any, day: date, values: Curve) -> None:
    if day in curves[key]:
        raise ValueError(f"{key} has {day} twice; the recalculation reads one delivery only")
    curves[key][day] = values


def joined(curves: ByDay, days: Sequence[date]) -> dict[Any, Curve]:
    """The days of the month behind one another."""
    for key, by_day in curves.items():
        if missing := [day for day in days if day not in by_day]:
            raise ValueError(f"{key} lacks {missing[0]}; a missing day has no amount and is not zero")
    return {key: [value for day in days for value in by_day[day]] for key, by_day in curves.items()}


def read_energy(row: Row, per_unit: Decimal = Decimal(1_000_000)) -> list[int]:
    """MWh (or what `per_unit` makes Wh of) -> Wh, multiplied first and rounded once (ruling 8)."""
    return [whole(row[clock] * per_unit) for clock in CLOCK]


def read_metered(folder: Path, days: Sequence[date]) -> dict[str, Curve]:
    """Participant -> Wh taken (direction 1) less Wh delivered (direction -1), over all its meters."""
    meters = keyed(csv_rows(folder, "meters"), "meter_id")
    readings: ByDay = defaultdict(dict)
    for row in parquet_rows(folder, "meter_readings*.parquet", days):
        meter = meters[row["meter_id"]]
        if in_force(meter, row["date"]):
            energy = read_energy(row, 1000 * Decimal(meter["multiplier"]))
            put(readings, row["meter_id"], row["date"], energy)
    taken: dict[str, Curve] = {}
    for meter_id, curve in joined(readings, days).items():
        owner, direction = meters[meter_id]["participant_id"], int(meters[meter_id]["direction"])
        so_far = taken.get(owner, [0] * len(curve))
        taken[owner] = added([so_far, [direction * wh for wh in curve]], len(curve))
    if unread := meters.keys() - readings.keys():
        raise ValueError(f"no reading in the month for {', '.join(sorted(unread))}")
    return taken


def read_registers(folder: Path, metered: Mapping[str, Curve], days: Sequence[date]) -> dict[str, int]:
    """Participant -> Wh that its registers counted over the month beyond the sum of its days.

    Counted: end less start before the multiplier, over the last digit where the end is lower. Every meter of a
    participant with a register must have one for the whole month.
    """
    meters = keyed(csv_rows(folder, "meters"), "meter_id")
    whole_month = (str(days[0]), str(days[-1] + timedelta(days=1)))
    counted: dict[str, int] = defaultdict(int)
    read: set[str] = set()
    for row in csv_rows(folder, "registers"):
        if (row["flow"], row["rate"]) != ("forward", "total"):
            continue
        if (row["valid_from"], row["valid_to"]) != whole_month or row["meter_id"] in read:
            raise ValueError(f"the register of {row['meter_id']} is not one read over the month")
        read.add(row["meter_id"])
        meter, start, end = meters[row["meter_id"]], Decimal(row["start_kwh"]), Decimal(row["end_kwh"])
        kwh = end - start if end >= start else end + 10 ** int(row["digits"]) - start
        counted[meter["participant_id"]] += whole(1000 * kwh * Decimal(meter["multiplier"]))
    unread = {
        row["participant_id"]
        for meter, row in meters.items()
        if meter not in read and row["direction"] == "1"
    }
    if gaps := unread & counted.keys():
        raise ValueError(f"only some meters of {sorted(gaps)[0]} have a register")
    return {who: wh - sum(metered[who]) for who, wh in counted.items()}


def read_day_ahead(folder: Path, days: Sequence[date]) -> dict[str, Curve]:
    positions: ByDay = defaultdict(dict)
    for row in parquet_rows(folder, "positions*.parquet", days):
        if row["stage"] == "day_ahead":
            put(positions, row["participant_id"], row["date"], read_energy(row))
    return joined(positions, days)


def read_prices(folder: Path, days: Sequence[date]) -> dict[tuple[str, str], Curve]:
    prices: ByDay = defaultdict(dict)
    for row in csv_rows(folder, "prices"):
        day = date.fromisoformat(row["date"])
        if days[0] <= day <= days[-1]:
            mills = [whole(Decimal(row[clock]) * 1000) for clock in CLOCK]
            put(prices, (row["node"], row["stage"]), day, mills)
    return joined(prices, days)


def read_contracts(folder: Path, days: Sequence[date]) -> list[Contract]:
    agreed = keyed(csv_rows(folder, "contracts"), "contract_id")
    energy: ByDay = defaultdict(dict)
    for row in parquet_rows(folder, "contract_curves*.parquet", days):
        if in_force(agreed[row["contract_id"]], row["date"]):
            put(energy, row["contract_id"], row["date"], read_energy(row))
    return [
        Contract(
            agreed[name]["seller_id"],
            agreed[name]["buyer_id"],
            whole(Decimal(agreed[name]["price_cny_per_mwh"]) * 1000),
            curve,
        )
        for name, curve in joined(energy, days).items()
    ]


def read_trades(folder: Path, days: Sequence[date]) -> list[Trade]:
    quarter_of_mw = Fraction(1_000_000, 4)  # Wh that 1 MW makes in a quarter-hour; market.md A.10
    return [
        Trade(
            row["stage"],
            QUARTERS * days.index(date.fromisoformat(row["date"])) + int(row["period"]) - 1,
            row["seller_id"],
            whole(Decimal(row["sell_price"]) * 1000),
            row["path_id"],
            Fraction(row["executed_sell_mw"]) * quarter_of_mw,
            half_up(Fraction(row["executed_buy_mw"]) * quarter_of_mw),
        )
        for row in csv_rows(folder, "trades")
        if days[0] <= date.fromisoformat(row["date"]) <= days[-1]
    ]


def read_sections(folder: Path, day: date) -> dict[str, list[Section]]:
    """Path -> its sections in force on `day`, seller to buyer; a tariff that includes loss counts no loss (A.3)."""
    sections = {
        section_id: Section(
            row["owner_id"],
            1000 * Fraction(row["tariff_cny_per_mwh"]),
            Fraction(0) if row["loss_included"] == "1" else Fraction(row["loss_rate"]),
        )
        for section_id, row in keyed(csv_rows(folder, "sections"), "section_id").items()
        if in_force(row, day)
    }
    paths: dict[str, list[Section]] = defaultdict(list)
    for row in sorted(csv_rows(folder, "paths"), key=lambda row: (row["path_id"], int(row["seq"]))):
        paths[row["path_id"]].append(sections[row["section_id"]])
    return paths


def read_fees(folder: Path, days: Sequence[date]) -> list[Fee]:
    """Amounts of market operation fees: positive is paid to who is named, negative owed by it."""
    return [
        Fee(
            row["charge_code"],
            days.index(day),
            whole(100 * Decimal(row["amount_cny"])),
            row["participant_id"],
        )
        for row in csv_rows(folder, "fee_pools")
        if (day := date.fromisoformat(row["date"])) in days
    ]


def read_standards(folder: Path, days: Sequence[date]) -> dict[str, list[int]]:
    """Code -> 0.001 yuan/MWh of every day of the month."""
    found: dict[str, dict[int, int]] = defaultdict(dict)
    for row in csv_rows(folder, "standards"):
        for n, day in enumerate(days):
            if in_force(row, day):
                found[row["charge_code"]][n] = whole(1000 * Decimal(row["price_cny_per_mwh"]))
    return {code: [by_day[n] for n in range(len(days))] for code, by_day in found.items()}


def read_shares(folder: Path, days: Sequence[date]) -> dict[tuple[str, str], list[Fraction]]:
    """(participant, nonmarket or mechanism) -> the share of every day of the month."""
    found: dict[tuple[str, str], list[Fraction]] = {}
    for row in csv_rows(folder, "energy_shares"):
        shares = found.setdefault((row["participant_id"], row["what"]), [Fraction(0)] * len(days))
        for n, day in enumerate(days):
            if in_force(row, day):
                shares[n] = Fraction(row["share"])
    return found


def read_books(folder: Path, first_day: date) -> Books:
    """The month that starts on `first_day`, from the CSV and Parquet files in `folder`."""
    days = days_of_month(first_day)
    length = QUARTERS * len(days)
    people = keyed(csv_rows(folder, "participants"), "participant_id")
    (grid_company,) = (name for name, row in people.items() if row["kind"] == "grid_company")

    use: dict[str, Curve] = {}
    party: dict[str, str] = {}
    generation: dict[str, Curve] = {}
    stored: dict[str, Curve] = {}
    residents: Curve = [0] * length
    agency_wh: dict[str, int] = {}
    metered = read_metered(folder, days)
    for name, curve in sorted(metered.items()):
        kind = people[name]["kind"]
        if kind == "generator":
            generation[name] = [-wh for wh in curve]
        elif kind == "storage":
            stored[name] = [-wh for wh in curve]
        elif kind == "residents":
            residents = added([residents, curve], length)
        else:
            book = {
                "wholesale_user": name,
                "retail_user": people[name]["retailer_id"],
                "agency_user": grid_company,
            }[kind]
            party[name] = book
            use[book] = added([use.get(book, [0] * length), curve], length)
        if kind == "agency_user":
            agency_wh[name] = sum(curve)

    beyond_days = read_registers(folder, metered, days)
    of_party: dict[str, int] = defaultdict(int)
    for name, wh in beyond_days.items():
        if name in party:
            of_party[party[name]] += wh
    positions = read_day_ahead(folder, days)
    if strangers := positions.keys() - use.keys() - generation.keys() - stored.keys():
        raise ValueError(f"positions without a meter: {', '.join(sorted(strangers))}")
    node = {name: people[name]["node"] for name in generation}
    return Books(
        length=length,
        grid_company=grid_company,
        use=use,
        residents_use=residents,
        agency_wh=agency_wh,
        generation=generation,
        node=node,
        bought_day_ahead={name: curve for name, curve in positions.items() if name in use},
        sold_day_ahead={name: curve for name, curve in positions.items() if name in generation},
        stored=stored,
        stored_node={name: people[name]["node"] for name in stored},
        stored_day_ahead={name: curve for name, curve in positions.items() if name in stored},
        contracts=read_contracts(folder, days),
        trades=read_trades(folder, days),
        sections=read_sections(folder, first_day),
        price=read_prices(folder, days),
        capacity={
            row["participant_id"]: whole(Decimal(row["capacity_mw"]) * 1000)
            for row in csv_rows(folder, "capacity_available")
            if row["month"] == f"{first_day:%Y-%m}"
        },
        fees=read_fees(folder, days),
        standards=read_standards(folder, days),
        share=read_shares(folder, days),
        unit_class={name: people[name]["tariff_class"] for name in generation},
        metered=metered,
        beyond_days=beyond_days,
        beyond_days_of_party={name: wh for name, wh in of_party.items() if wh},
    )
