"""The second layer of the sample: published prices, retail packages, who chose them, reactive energy and demand.

Prices are published figures with their true date and source; where Shandong published none for July 2022 a later one
or one of another province stands in and says so. Packages, choices and reactive energy are made up.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from people import RETAILERS, Meter, Participant
from writing import DATES, JULY, Floats, Ints, generator, half_up, plain, write_csv, write_curve_parquet

HUBEI = "HB-TAR 湖北 2026-01 代理购电价格表"
NATIONAL = "TD4 发改价格〔2026〕1077号"
BILLED = ("retail_user", "agency_user", "wholesale_user")  # all of them pay the network's fees
TWO_PART = "large_industry"
SINCE = "2022-01-01"
TARIFF_HEADER = "component tariff_class voltage_band price_cny price_unit region source source_effective_from valid_from valid_to"
PACKAGE_HEADER = (
    "package_id retailer_id kind fixed_share sharp_cny_per_mwh peak_cny_per_mwh flat_cny_per_mwh valley_cny_per_mwh "
    "deep_valley_cny_per_mwh linked_to spread_cny_per_mwh cap_cny_per_mwh x1_share x2_share y1_cny_per_mwh "
    "y2_cny_per_mwh c1_cny_per_mwh c2_cny green_share green_cny_per_certificate valid_from valid_to"
)


def tariffs() -> list[list[object]]:
    """Rows of tariffs.csv."""
    everyone = [
        ("agency_purchase", "0.388090", "HB", f"{HUBEI} 当月平均购电价", "2026-01-01"),
        ("history_deviation", "-0.003620", "HB", f"{HUBEI} 历史偏差折价", "2026-01-01"),
        ("retail_reference", "0.388090", "HB", f"{HUBEI} 当月平均购电价", "2026-01-01"),
        ("capacity_compensation", "0.099100", "SD", "BOOK17 容量补偿电价", "2021-12-01"),
        ("line_loss", "0.013643", "HB", f"{HUBEI} 上网环节线损折价", "2026-01-01"),
        ("pumped_storage", "0.002316", "HB", f"{HUBEI} 抽蓄", "2026-01-01"),
        ("coal_capacity", "0.036657", "HB", f"{HUBEI} 煤电容量", "2026-01-01"),
        ("mechanism_difference", "0.019244", "HB", f"{HUBEI} 机制差价", "2026-01-01"),
        ("cross_subsidy", "0.012994", "HB", f"{HUBEI} 交叉补贴", "2026-01-01"),
        ("residual_priority", "0.006762", "HB", f"{HUBEI} 剩余优发", "2026-01-01"),
        ("other_system_operation", "0.004300", "HB", f"{HUBEI} 系统运行费其余部分", "2026-01-01"),
        ("fund", "0.02716875", "SD", f"{NATIONAL} 政府性基金及附加", "2026-08-01"),
    ]
    found: list[list[object]] = [
        [component, "all", "all", price, "cny_per_kwh", region, source, published, SINCE, None]
        for component, price, region, source, published in everyone
    ]
    single = f"{HUBEI} 输配电价 1-10千伏两部制 (单一制未见公布)"
    for tariff_class, band, price, region, source, published in (
        (TWO_PART, "110_to_220kv", "0.106000", "SD", f"{NATIONAL} 110千伏两部制", "2026-08-01"),
        (TWO_PART, "from_220kv", "0.089000", "SD", f"{NATIONAL} 220千伏两部制", "2026-08-01"),
        ("general_industry", "1_to_35kv", "0.126300", "HB", single, "2026-01-01"),
    ):
        found.append(
            ["transmission", tariff_class, band, price, "cny_per_kwh", region, source, published, SINCE, None]
        )
    for component, price, unit, name in (
        ("basic_demand", "39", "cny_per_kw_month", "需量"),
        ("basic_capacity", "24.4", "cny_per_kva_month", "容量"),
    ):
        source = f"{HUBEI} 基本电费{name} (第二档)"
        found.append([component, TWO_PART, "all", price, unit, "HB", source, "2026-01-01", SINCE, None])
    source = "F.3 山东居民阶梯第一档"
    found.append(["catalogue", "residents", "all", "0.5469", "cny_per_kwh", "SD", source, None, SINCE, None])
    return found


def packages() -> list[list[object]]:
    """Rows of packages.csv: five kinds a retailer, each retailer a little dearer than the one before."""
    found = []
    for number, retailer in enumerate(RETAILERS):
        letter, dearer = "ABCD"[number], 4 * number
        day = [720 + dearer, 610 + dearer, 428 + dearer, 236 + dearer, 236 + dearer]
        none = [None] * 5
        bands = ["0.05", "0.10", "30", "20"]
        early = ["12", "50000"]
        for kind, terms in (
            ("FIX", ["fixed", None, *day, None, None, None, *[None] * 4, *early, "0.2", "18.5"]),
            (
                "SPT",
                ["spot_linked", None, *none, "real_time", f"{12 + dearer}.5", None, *[None] * 6, None, None],
            ),
            (
                "MIX",
                ["mixed", f"0.{35 + 10 * number}", *day, "day_ahead", "10", None, *bands, *early, None, None],
            ),
            (
                "REF",
                ["reference_linked", None, *none, None, f"{22 + dearer}", None, *[None] * 6, "0.5", "21"],
            ),
            (
                "CAP",
                ["spot_linked", None, *none, "real_time", "9", f"{416 + dearer}", *[None] * 6, None, None],
            ),
        ):
            found.append([f"{kind}{letter}220001", retailer, *terms, SINCE, None])
    return found


def choices(users: list[Participant]) -> list[list[object]]:
    """Rows of package_choices.csv: the kinds in turn within each retailer's customers; a few sign or leave in June and
    July."""
    found: list[list[object]] = []
    kinds = ("FIX", "SPT", "MIX", "REF", "CAP")
    for user in users:
        if user.kind != "retail_user":
            continue
        number = int(user.participant_id[1:])
        place = (number - 1) // len(RETAILERS)
        letter = "ABCD"[RETAILERS.index(user.retailer_id)]
        kind = kinds[place % len(kinds)]
        june = float(user.curve[: JULY * 96].sum()) / JULY * 31 / 1000
        agreed = f"{june:.3f}" if kind in ("FIX", "MIX") else None
        left = "2022-07-12" if kind == "FIX" and place % 10 == 5 else None
        if place % 15 == 11:  # came from the spot-linked package with effect from July
            found.append(
                [user.participant_id, f"SPT{letter}220001", "2021-12-10", *[None] * 3, SINCE, "2022-07-01"]
            )
            found.append(
                [
                    user.participant_id,
                    f"{kind}{letter}220001",
                    "2022-06-20",
                    agreed,
                    None,
                    None,
                    "2022-07-01",
                    None,
                ]
            )
            continue
        ends = "2023-01-01" if agreed else None
        found.append(
            [user.participant_id, f"{kind}{letter}220001", "2021-12-10", agreed, ends, left, SINCE, None]
        )
    return found


def basic_fee(user: Participant) -> str:
    """Every third user of a two-part tariff pays by demand, the others by capacity."""
    if user.kind not in BILLED or user.tariff_class != TWO_PART:
        return ""
    return "demand" if int(user.participant_id[1:]) % 3 == 0 else "capacity"


def write(folder: Path, users: list[Participant], meters: list[Meter], readings: dict[str, Ints]) -> None:
    """tariffs.csv, packages.csv, package_choices.csv, reactive_readings_2022-07.parquet, maximum_demand.csv."""
    write_csv(folder / "tariffs.csv", TARIFF_HEADER, tariffs())
    write_csv(folder / "packages.csv", PACKAGE_HEADER, packages())
    write_csv(
        folder / "package_choices.csv",
        "participant_id package_id signed_on agreed_mwh term_ends ended_early_on valid_from valid_to",
        choices(users),
    )
    of = {user.participant_id: user for user in users if user.kind in BILLED}
    billed = sorted(
        (meter for meter in meters if meter.participant_id in of), key=lambda meter: meter.meter_id
    )
    july = DATES[JULY:]
    wholesale = sum(of[meter.participant_id].kind == "wholesale_user" for meter in billed)  # they come last
    tangent = np.concatenate(
        [
            _tangents("reactive", len(billed) - wholesale, len(july)),
            _tangents("reactive_wholesale", wholesale, len(july)),
        ]
    )
    active = np.stack([readings[meter.meter_id][JULY:] for meter in billed]) / 10_000
    write_curve_parquet(
        folder / "reactive_readings_2022-07.parquet",
        {
            "meter_id": [meter.meter_id for meter in billed for _ in july],
            "flow": ["lagging"] * (len(billed) * len(july)),
            "date": [*july] * len(billed),
            "quality": ["measured"] * (len(billed) * len(july)),
        },
        half_up(active * tangent[:, :, None], 3).reshape(-1, 96),
        3,
    )
    write_csv(
        folder / "maximum_demand.csv",
        "meter_id month demand_kw reached_at",
        (
            [meter.meter_id, "2022-07", plain(int(readings[meter.meter_id][JULY:].max()) * 4, 4), None]
            for meter in billed
            if basic_fee(of[meter.participant_id]) == "demand"
        ),
    )


def _tangents(stream: str, users: int, days: int) -> Floats:
    """tan phi by user and day: most between 0.25 and 0.6 (cos phi 0.97 to 0.86), a tenth up to 1.0 (0.71)."""
    random = generator(stream)
    mean = 0.25 + 0.35 * random.random((users, 1))
    mean = np.where(random.random((users, 1)) < 0.1, mean + 0.4, mean)
    return np.asarray(mean * (0.95 + 0.1 * random.random((users, days))), np.float64)
