"""A July whose meters stand in many places: spread over cities, moved between them, revised, with gaps, in any block.

To the base market come W2, whose second meter was delivered after its city was corrected (jinan, then yantai); W3, which
moves from qingdao to yantai on 12 July; W4 with three meters in jinan, one of them delivering, one joining on the 9th;
W5, valid from the 15th; and T2, a customer of R1 in yantai. Every reading and position is drawn.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path

import numpy as np

from ingest.deliver import deliver_many
from market.money import IntArray
from market.periods import LABELS, Month
from warehouse.home import Home, create, home

BASE = Path(__file__).resolve().parent.parent / "scenarios" / "base"
JULY = Month(2022, 7)
DAYS = tuple(JULY.days())
METERS = {  # meter: participant, multiplier, direction, valid from
    "M-W1": ("W1", 100, 1, "2022-01-01"),
    "M-W2-a": ("W2", 1, 1, "2022-01-01"),
    "M-W2-b": ("W2", 3, 1, "2022-01-01"),
    "M-W3": ("W3", 2, 1, "2022-01-01"),
    "M-W4-a": ("W4", 1, 1, "2022-01-01"),
    "M-W4-b": ("W4", 1, -1, "2022-01-01"),
    "M-W4-c": ("W4", 7, 1, "2022-07-09"),
    "M-W5": ("W5", 1, 1, "2022-07-15"),
    "M-T1": ("T1", 1, 1, "2022-01-01"),
    "M-T2": ("T2", 1, 1, "2022-01-01"),
    "M-A1": ("A1", 1, 1, "2022-01-01"),
    "M-A2": ("A2", 1, 1, "2022-01-01"),
    "M-RES": ("RES", 1, 1, "2022-01-01"),
    "M-G1": ("G1", 1, -1, "2022-01-01"),
    "M-G2": ("G2", 1, -1, "2022-01-01"),
}
BOOK = {"T1": "R1", "T2": "R1", "A1": "SGCC", "A2": "SGCC"}
CONTRACTS = {"C1": "W1", "C2": "R1", "C3": "W2", "C4": "W3", "C5": "W4"}
GAPS = {("M-W3", 4), ("M-T2", 6), ("M-W4-b", 11)}  # meter and day of July: one quarter-hour has no value
ABSENT = {("M-W2-a", 8), ("M-A1", 9), ("M-W4-a", 21)}  # no row at all
REVISED = ("M-W2-b", "M-T2", "M-W3")  # delivered a second time for the days of REVISED_DAYS
REVISED_DAYS = DAYS[12:16]
CODED = {("M-T1", 5), ("M-W2-b", 5), ("M-W4-a", 6)}  # the first twelve quarter-hours are said to be estimated
LATE = "M-W2-b"  # delivered once W2 stands in yantai
Readings = Mapping[tuple[str, date], IntArray]


def readings() -> Readings:
    """1e-6 kWh of every meter and day as it stands in the end, whether it has a gap or not."""
    draw = np.random.default_rng(56)
    found = {
        (meter, day): draw.integers(0, 4_000, 96) * 500
        for meter, (_, _, _, first) in METERS.items()
        for day in DAYS
        if str(day) >= first
    }
    return {key: one * (3 if key[0].startswith("M-G") else 1) for key, one in found.items()}


def positions() -> dict[tuple[str, date], IntArray]:
    """Wh of every user and generator by day; W5 has none before it is valid."""
    draw = np.random.default_rng(57)
    parties = ("W1", "W2", "W3", "W4", "W5", "R1", "SGCC", "G1", "G2")
    return {
        (who, day): draw.integers(0, 4_000, 96) * 1000
        for who in parties
        for day in DAYS
        if who != "W5" or day >= date(2022, 7, 15)
    }


def reactive() -> dict[tuple[str, str, date], IntArray]:
    """1e-6 kvarh by meter, flow and day: M-W1 never leads, M-A2 has nothing, M-T1 lags on no day of the third week."""
    draw = np.random.default_rng(59)
    return {
        (meter, flow, day): draw.integers(0, 4_000, 96) * 500
        for meter in ("M-W1", "M-W2-a", "M-W2-b", "M-T1", "M-T2")
        for flow in ("lagging", "leading")
        for day in DAYS
        if not (meter == "M-W1" and flow == "leading")
        and not (meter == "M-T1" and flow == "lagging" and 15 <= day.day <= 21)
    }


def has_gap(participant: str, day: date) -> bool:
    """Whether a meter of a participant misses a quarter-hour of the day."""
    lost = {(METERS[meter][0], DAYS[number - 1]) for meter, number in GAPS | ABSENT}
    return (participant, day) in lost


def build(root: Path) -> Home:
    """The home, its files delivered one after another."""
    at = home(root / "home")
    create(at)
    first = root / "1"
    shutil.copytree(BASE, first)
    _append(first / "participants.csv", _participants("jinan"))
    _append(
        first / "meters.csv",
        [[meter, *map(str, row), ""] for meter, row in METERS.items() if not _in_base("meters", meter)],
    )
    _append(
        first / "contracts.csv",
        [
            [contract, "G1", buyer, str(400 + 7 * n), "2022-07-01", "2022-08-01"]
            for n, (contract, buyer) in enumerate(CONTRACTS.items())
            if not _in_base("contracts", contract)
        ],
    )
    seen = readings()
    stale = {key: one for key, one in seen.items() if key[0] != LATE}
    changed = {
        key: one + 1_000_000 if key[0] in REVISED and key[1] in REVISED_DAYS else one
        for key, one in stale.items()
    }
    _write(first, "meter_readings", "meter_id", changed, 6, {"quality": "measured"}, GAPS, ABSENT)
    _write(first, "positions", "participant_id", positions(), 6, {"stage": "day_ahead"})
    for flow in ("lagging", "leading"):
        inbox = root / flow
        inbox.mkdir()
        curves = {(meter, day): one for (meter, of, day), one in reactive().items() if of == flow}
        more = {"flow": flow, "quality": "measured"}
        _write(inbox, "reactive_readings", "meter_id", curves, 6, more, [("M-T2", 3)])
    draw = np.random.default_rng(58)
    curves = {(contract, day): draw.integers(0, 3_000, 96) * 1000 for contract in CONTRACTS for day in DAYS}
    _write(first, "contract_curves", "contract_id", curves, 6)
    deliver_many(at, [first, root / "lagging", root / "leading"])

    second = root / "2"
    second.mkdir()
    rows = [row for row in _participants("yantai") if row[0] == "W2"]
    _append(second / "participants.csv", [_header("participants"), *rows])
    late = {key: one for key, one in seen.items() if key[0] == LATE}
    late |= {key: one for key, one in seen.items() if key[0] in REVISED and key[1] in REVISED_DAYS}
    _write(second, "meter_readings", "meter_id", late, 6, {"quality": "measured"}, GAPS, ABSENT)
    codes = ["estimated" if n < 12 else "measured" for n in range(96)]
    rows = [[meter, str(DAYS[number - 1]), *codes] for meter, number in sorted(CODED)]
    _append(second / "meter_quality.csv", [["meter_id", "date", *LABELS], *rows])
    deliver_many(at, [second])
    return at


def _participants(city_of_w2: str) -> list[list[str]]:
    def row(who: str, kind: str, city: str, first: str, after: str = "", retailer: str = "") -> list[str]:
        return [who, who, kind, city, "SD_A", "110", "9000", "large_industry", retailer, first, after]

    return [
        row("W2", "wholesale_user", city_of_w2, "2022-01-01"),
        row("W3", "wholesale_user", "qingdao", "2022-01-01", "2022-07-12"),
        row("W3", "wholesale_user", "yantai", "2022-07-12"),
        row("W4", "wholesale_user", "jinan", "2022-01-01"),
        row("W5", "wholesale_user", "jinan", "2022-07-15"),
        row("T2", "retail_user", "yantai", "2022-01-01", retailer="R1"),
    ]


def _in_base(table: str, key: str) -> bool:
    return f"\n{key}," in (BASE / f"{table}.csv").read_text(encoding="utf-8")


def _header(table: str) -> list[str]:
    return (BASE / f"{table}.csv").read_text(encoding="utf-8").splitlines()[0].split(",")


def _append(path: Path, rows: Iterable[Iterable[str]]) -> None:
    with path.open("a", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(rows)


def _write(
    folder: Path,
    table: str,
    key: str,
    curves: Mapping[tuple[str, date], IntArray],
    decimals: int,
    more: Mapping[str, str] | None = None,
    gaps: Iterable[tuple[str, int]] = (),
    absent: Iterable[tuple[str, int]] = (),
) -> None:
    """A wide CSV file; of a day with a gap the 30th quarter-hour is empty."""
    more, unit = more or {}, 10**decimals
    holed = {(who, DAYS[number - 1]) for who, number in gaps}
    left_out = {(who, DAYS[number - 1]) for who, number in absent}
    path = folder / f"{table}.csv"
    path.unlink(missing_ok=True)
    rows = [[key, "date", *more, *LABELS]]
    for (who, day), curve in curves.items():
        if (who, day) in left_out:
            continue
        texts = [f"{value // unit}.{value % unit:0{decimals}d}" for value in curve.tolist()]
        if (who, day) in holed:
            texts[29] = ""
        rows.append([who, str(day), *more.values(), *texts])
    _append(path, rows)
