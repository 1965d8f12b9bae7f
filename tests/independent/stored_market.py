"""A month of every kind of party, drawn at random into files: storages and a virtual power plant among them.

Fifteen participants, one or two meters each, 31 days; prices of any sign, multipliers that make half Wh, storages that
take and deliver in one quarter-hour, contracts with a storage on either side.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from month_books import CLOCK

DAYS = [date(2022, 7, 1) + timedelta(days=n) for n in range(31)]
SCENARIOS = Path(__file__).resolve().parents[1] / "scenarios"
PEOPLE = """\
participant_id,name,kind,city,node,voltage_kv,capacity_kva,tariff_class,retailer_id,valid_from,valid_to,basic_fee,power_factor_standard
SGCC,省电力公司,grid_company,province,SD,,,,,2022-01-01,,,
W1,济南钢厂,wholesale_user,jinan,SD_A,110,40000,large_industry,,2022-01-01,,capacity,
R1,售电公司一,retailer,jinan,SD,,,,,2022-01-01,,,
V1,青岛虚拟电厂,vpp,qingdao,SD,,,,,2022-01-01,,,
V2,济南虚拟电厂,vpp,jinan,SD,,,,,2022-01-01,,,
T1,青岛纺织,retail_user,qingdao,SD_B,35,20000,general_industry,R1,2022-01-01,,,
T2,青岛冷库,retail_user,qingdao,SD_B,35,20000,general_industry,V1,2022-01-01,,,
T3,济南冷库,retail_user,jinan,SD_A,35,20000,general_industry,V1,2022-01-01,,,
A1,青岛商场,agency_user,qingdao,SD_B,10,8000,general_industry,,2022-01-01,,,
RES,济南居民,residents,jinan,SD_A,10,,residents,,2022-01-01,,,
G1,济南电厂,generator,jinan,SD_A,220,60000,coal,,2022-01-01,,,
G2,青岛风电,generator,qingdao,SD_B,220,60000,wind,,2022-01-01,,,
S1,济南储能,storage,jinan,SD_S,110,20000,,,2022-01-01,,,
S2,青岛储能,storage,qingdao,SD_B,110,20000,,,2022-01-01,,,
OUT-NX,宁夏售方,outside,province,NX,,,,,2022-01-01,,,
OWN-NX,宁夏电网,channel_owner,province,NX,,,,,2022-01-01,,,
OWN-YD,银东直流,channel_owner,province,NX,,,,,2022-01-01,,,
FUND-GOV,政府性基金,fund,province,SD,,,,,2022-01-01,,,
"""
METERS = {  # meter: owner, multiplier, direction, largest kWh of a quarter-hour before the multiplier
    "M-W1": ("W1", "100", 1, 30),
    "M-T1": ("T1", "1.5", 1, 900),
    "M-T2": ("T2", "1.5", 1, 700),
    "M-T3": ("T3", "2.5", 1, 300),
    "M-A1": ("A1", "1", 1, 600),
    "M-RES": ("RES", "1", 1, 800),
    "M-G1": ("G1", "1.5", -1, 3000),
    "M-G2": ("G2", "1", -1, 2500),
    "M-S1-IN": ("S1", "1.5", 1, 900),
    "M-S1-OUT": ("S1", "1.5", -1, 800),
    "M-S2-IN": ("S2", "0.5", 1, 1500),
    "M-S2-OUT": ("S2", "0.5", -1, 1500),
}
CONTRACTS = (  # contract, seller, buyer, price
    ("C1", "G1", "W1", "391.237"),
    ("C2", "G2", "R1", "420.5"),
    ("C3", "S1", "V1", "455.125"),
    ("C4", "G2", "S1", "310"),
    ("C5", "S1", "S2", "402.019"),
    ("C6", "R1", "S2", "388.8"),
    ("C7", "G1", "SGCC", "399.999"),
)
FEES = (  # pool, day, yuan, who
    ("startup_compensation", 4, "18234.57", "G1"),
    ("heating_assessment", 9, "-812.11", "G1"),
    ("unit_assessment", 12, "-4711.13", "G2"),
    ("excess_profit_recovery", 13, "-9120.45", "G1"),
    ("regulation_service", 13, "5123.77", "S1"),
    ("regulation_service", 20, "711.01", "G1"),
    ("regulation_opportunity", 20, "933.39", "S2"),
    ("regulation_opportunity", 21, "120.07", "V1"),
)


def write_csv(folder: Path, table: str, rows: Iterable[Sequence[object]]) -> None:
    with (folder / f"{table}.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def write_curves(
    folder: Path, table: str, heads: Sequence[str], rows: Sequence[tuple[Sequence[object], Sequence[Decimal]]]
) -> None:
    """Parquet with the key columns, the date among them, and 96 decimal columns."""
    columns: dict[str, pa.Array] = {
        name: pa.array([keys[n] for keys, _ in rows], pa.date32() if name == "date" else pa.string())
        for n, name in enumerate(heads)
    }
    for n, clock in enumerate(CLOCK):
        columns[clock] = pa.array([values[n] for _, values in rows], pa.decimal128(18, 6))
    pq.write_table(pa.table(columns), folder / f"{table}.parquet")


def drawn(draw: random.Random, largest: float, decimals: int, least: float = 0) -> list[Decimal]:
    return [Decimal(str(round(draw.uniform(least, largest), decimals))) for _ in CLOCK]


def stored(draw: random.Random, meter: str, largest: float) -> list[Decimal]:
    """Mostly charging by day and discharging in the evening; some quarter-hours have both."""
    hours = range(9, 16) if meter.endswith("IN") else range(15, 22)
    return [value if n // 4 in hours else Decimal(0) for n, value in enumerate(drawn(draw, largest, 4))]


def write_month(folder: Path, seed: int) -> Path:
    """The files of July 2022 in ``folder``, as they are delivered."""
    draw = random.Random(seed)  # a market, not a secret
    folder.mkdir(parents=True)
    (folder / "participants.csv").write_text(PEOPLE, encoding="utf-8")
    head = ("meter_id", "participant_id", "multiplier", "direction", "valid_from", "valid_to")
    rows = [(meter, who, times, way, "2022-01-01", "") for meter, (who, times, way, _) in METERS.items()]
    write_csv(folder, "meters", [head, *rows])
    readings = [
        (
            (meter, day, "measured"),
            (stored if who[0] == "S" else lambda d, _, top: drawn(d, top, 4))(draw, meter, top),
        )
        for meter, (who, _, _, top) in METERS.items()
        for day in DAYS
    ]
    write_curves(folder, "meter_readings", ("meter_id", "date", "quality"), readings)
    consuming = [meter for meter, (who, _, way, _) in METERS.items() if way == 1 and who[0] in "WTA"]
    write_curves(
        folder,
        "reactive_readings",
        ("meter_id", "flow", "date", "quality"),
        [
            ((m, "lagging", day, "measured"), drawn(draw, METERS[m][3] / 2, 4))
            for m in consuming
            for day in DAYS
        ],
    )
    bounds = {"W1": 3, "R1": 1.4, "V1": 1.8, "SGCC": 0.6, "G1": 4.5, "G2": 2.5}
    positions: list[tuple[Sequence[object], Sequence[Decimal]]] = [
        ((who, day, "day_ahead"), drawn(draw, top, 6)) for who, top in bounds.items() for day in DAYS
    ]
    positions += [
        ((who, day, "day_ahead"), drawn(draw, 1.2, 6, -1.3)) for who in ("S1", "S2") for day in DAYS
    ]
    write_curves(folder, "positions", ("participant_id", "date", "stage"), positions)
    head = ("contract_id", "seller_id", "buyer_id", "price_cny_per_mwh", "valid_from", "valid_to")
    write_csv(folder, "contracts", [head, *((*deal, "2022-07-01", "2022-08-01") for deal in CONTRACTS)])
    curves = [((deal[0], day), drawn(draw, 1.5, 6)) for deal in CONTRACTS for day in DAYS]
    write_curves(folder, "contract_curves", ("contract_id", "date"), curves)
    prices = [
        (node, stage, day, *drawn(draw, 900, 3, -90))
        for node in ("SD_A", "SD_B", "SD_S")
        for stage in ("day_ahead", "real_time")
        for day in DAYS
    ]
    write_csv(folder, "prices", [("node", "stage", "date", *CLOCK), *prices])
    _write_records(folder, draw)
    _write_registers(folder, draw, readings)
    return folder


def _write_records(folder: Path, draw: random.Random) -> None:
    for table in ("paths", "sections"):
        (folder / f"{table}.csv").write_bytes((SCENARIOS / "base" / f"{table}.csv").read_bytes())
    tariffs = SCENARIOS / "given_tariffs_and_packages" / "when" / "tariffs.csv"
    reference = "retail_reference,all,all,0.42,cny_per_kwh,SD,drawn,,2022-01-01,\n"
    (folder / "tariffs.csv").write_text(tariffs.read_text("utf-8") + reference, "utf-8")
    head = (SCENARIOS / "base" / "trades.csv").read_text("utf-8").splitlines()[0].split(",")
    trades: list[Sequence[object]] = []
    for number, stage in enumerate(("day_ahead", "day_ahead", "intraday", "intraday")):
        sold, price = Decimal(draw.randint(1, 9)), Decimal(draw.randint(200, 700))
        bought = (sold * Decimal("0.92535")).quantize(Decimal("0.000001"))
        landed = ((price + Decimal("71.8819")) / Decimal("0.92535")).quantize(Decimal("0.001"))
        where = (f"IP-{number}", DAYS[draw.randrange(31)], stage, 1, draw.randint(1, 96), "NX-YD", "NX", "SD")
        trades.append((*where, "OUT-NX", "SGCC", sold, bought, price, landed, sold, bought))
    write_csv(folder, "trades", [head, *trades])
    units = ("G1", "G2", "S1", "S2")
    available = [(who, "2022-07", Decimal(draw.randint(100, 9999)).scaleb(-3)) for who in units]
    write_csv(folder, "capacity_available", [("participant_id", "month", "capacity_mw"), *available])
    fees = [(code, DAYS[day], yuan, f"{who} {code}", who) for code, day, yuan, who in FEES]
    write_csv(folder, "fee_pools", [("charge_code", "date", "amount_cny", "cause", "participant_id"), *fees])
    month = ("2022-07-01", "2022-08-01", "2022-06-28", "drawn")
    standards = [("startup_compensation_share", "1.735", *month), ("residents_sale", "546.9", *month)]
    head = ["charge_code", "price_cny_per_mwh", "valid_from", "valid_to", "published_on", "source"]
    write_csv(folder, "standards", [head, *standards])
    shares = [("G1", "nonmarket", "0.3"), ("W1", "mechanism", "0.07")]
    head = ["participant_id", "what", "share", "valid_from", "valid_to"]
    write_csv(folder, "energy_shares", [head, *((*row, "2022-01-01", "") for row in shares)])
    head = ["meter_id", "month", "demand_kw", "reached_at"]
    write_csv(folder, "maximum_demand", [head, ("M-W1", "2022-07", "120", "")])
    when = SCENARIOS / "given_tariffs_and_packages" / "when"
    head_of, package = (when / "packages.csv").read_text("utf-8").splitlines()
    of_vpp = package.replace("LSGD220001,R1", "LSGD220002,V1")
    of_vpp = of_vpp.replace("fixed,,900,750,500,250,250,,,", "mixed,0.4,900,750,500,250,250,day_ahead,12.5,")
    (folder / "packages.csv").write_text("\n".join((head_of, package, of_vpp, "")), "utf-8")
    head_of, choice = (when / "package_choices.csv").read_text("utf-8").splitlines()
    chosen = [choice] + [choice.replace("T1,LSGD220001", f"{who},LSGD220002") for who in ("T2", "T3")]
    (folder / "package_choices.csv").write_text("\n".join((head_of, *chosen, "")), "utf-8")


def _write_registers(
    folder: Path, draw: random.Random, readings: Sequence[tuple[Sequence[object], Sequence[Decimal]]]
) -> None:
    """Reads of some users, and of a storage, that are a little off the sum of their days."""
    rows: list[Sequence[object]] = []
    for meter in ("M-W1", "M-T1", "M-T2", "M-T3", "M-S1-IN"):
        counted = sum((sum(values, Decimal(0)) for keys, values in readings if keys[0] == meter), Decimal(0))
        off = Decimal(draw.randint(-3000, 3000)).scaleb(-2)
        span = ("forward", "total", "2022-07-01", "2022-08-01")
        rows.append((meter, *span, "1000", 1000 + counted + off, 8, ""))
    head = [
        "meter_id",
        "flow",
        "rate",
        "valid_from",
        "valid_to",
        "start_kwh",
        "end_kwh",
        "digits",
        "multiplier",
    ]
    write_csv(folder, "registers", [head, *rows])
