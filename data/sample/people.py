"""Who takes part: SimBench loads become users, and the platform's own parties are added by name.

A user is one SimBench load; its curve is pLoad times the profile, unchanged. Only residents' gateways are
scaled: one gateway stands for RESIDENTS_SCALE equal low-voltage networks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from sources import Sources
from writing import CITIES, CODES, JULY, NODES, Floats, by_day, write_csv

LEFT_OUT = ("HSexp0", "HSexp1", "hv_mixed2", "hv_mixed3")  # exports, and net loads that turn negative
TOP_WHOLESALE, EHV_USERS = 20, 260
HV_USERS, MV_USERS = 50, 70
RESIDENTS_SCALE = 2_000
LOW_VOLTAGE_NETS = ("lv_rural1", "lv_rural2", "lv_rural3", "lv_semiurb4", "lv_semiurb5", "lv_urban6")
HOUSEHOLDS = ("H0-A", "H0-B", "H0-C", "H0-G", "H0-L")
USERS = ("wholesale_user", "retail_user", "agency_user")
PREFIX = {"wholesale_user": "W", "retail_user": "T", "agency_user": "A"}
RETAILERS = ("R01", "R02", "R03", "R04")
GRID_COMPANY, AGGREGATOR, FUND = "SGCC-SD", "VPP01", "FUND-GOV"
TWO_METERS = 20  # the largest wholesale users
OWNERS = {
    "OWN-NX": ("宁夏送出输电方", "NX"),
    "OWN-NMD": ("蒙东送出输电方", "NMD"),
    "OWN-SX": ("山西送出输电方", "SX"),
    "OWN-YD": ("银东直流输电方", "NX"),
    "OWN-ZY": ("昭沂直流输电方", "NX"),
    "OWN-LG": ("鲁固直流输电方", "NMD"),
    "OWN-HB": ("华北区域电网输电方", "SD"),
}
OUTSIDE = {
    "OUT-NX": ("宁夏外送售方", "NX"),
    "OUT-NMD": ("蒙东外送售方", "NMD"),
    "OUT-SX": ("山西外送售方", "SX"),
}

INDUSTRY = (
    "钢铁",
    "化工",
    "铝业",
    "水泥",
    "造纸",
    "纺织",
    "机械",
    "橡胶",
    "石化",
    "玻璃",
    "电子",
    "轮胎",
    "船舶",
    "汽车",
)
TRADES = {
    "G0": "商贸",
    "G1": "办公",
    "G2": "餐饮",
    "G3": "商业",
    "G4": "商店",
    "G5": "食品",
    "G6": "文旅",
    "L": "农产品",
}
CURRENT_TRANSFORMERS = (
    50,
    75,
    100,
    150,
    200,
    300,
    400,
    600,
    800,
    1000,
    1200,
    1500,
    2000,
    2500,
    3000,
    4000,
    5000,
)
VOLTAGE_TRANSFORMERS = {"0.4": 1, "10": 100, "110": 1100, "220": 2200, "500": 5000}


@dataclass(frozen=True)
class Participant:
    """One row of participants.csv; ``curve`` is kWh a quarter-hour over the 78 days, empty for all but users."""

    participant_id: str
    name: str
    kind: str
    city: str
    node: str
    voltage_kv: str = ""
    capacity_kva: int | None = None
    tariff_class: str = ""
    retailer_id: str = ""
    profile: str = ""
    curve: Floats = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True)
class Meter:
    """One metering point; ``share`` of the participant's curve runs through it."""

    meter_id: str
    participant_id: str
    multiplier: int
    direction: int
    share: float


def users(sources: Sources) -> list[Participant]:
    """Wholesale, retail and agency users, largest July energy first within each kind."""
    chosen = _chosen_loads(sources)
    found = []
    for kind in USERS:
        loads = chosen[chosen["kind"] == kind].sort_values(["mean_mw", "id"], ascending=[False, True])
        city_of = _cities(loads)
        for number, load in enumerate(loads.itertuples(), start=1):
            city = city_of[load.id]
            curve = (
                load.pLoad * 250.0 * sources.load[load.profile].to_numpy()
            )  # MW over a quarter-hour in kWh
            found.append(
                Participant(
                    f"{PREFIX[kind]}{number:04d}",
                    f"{CITIES[city]}{_branch(load.profile)}用户{number:04d}",
                    kind,
                    city,
                    NODES[city],
                    load.voltage_kv,
                    _capacity_kva(curve),
                    "large_industry" if load.voltage_kv in ("110", "220") else "general_industry",
                    RETAILERS[(number - 1) % 4] if kind == "retail_user" else "",
                    load.profile,
                    curve,
                )
            )
    return found


def residents(sources: Sources) -> list[tuple[Participant, list[tuple[str, str, Floats]]]]:
    """One participant a city with (meter suffix, voltage, curve) of six scaled gateways and two households."""
    loads = sources.loads.sort_values(["pLoad", "id"], ascending=[False, True])
    found = []
    for position, city in enumerate(CITIES):
        parts = []
        for number, profile in enumerate(LOW_VOLTAGE_NETS, start=1):
            load = loads[loads["profile"] == profile].iloc[position]
            curve = load["pLoad"] * 250.0 * RESIDENTS_SCALE * sources.load[profile].to_numpy()
            parts.append((f"{number:02d}", "110", curve))
        for number, profile in enumerate((HOUSEHOLDS[position], HOUSEHOLDS[position - 1]), start=7):
            load = loads[loads["profile"] == profile].iloc[position]
            parts.append((f"{number:02d}", "0.4", load["pLoad"] * 250.0 * sources.load[profile].to_numpy()))
        whole = np.sum([curve for *_, curve in parts], axis=0)
        found.append(
            (
                Participant(
                    f"RES-{CODES[city]}",
                    f"{CITIES[city]}居民",
                    "residents",
                    city,
                    NODES[city],
                    "110",
                    _capacity_kva(whole),
                    "residents",
                    profile="residents",
                    curve=whole,
                ),
                parts,
            )
        )
    return found


def institutions() -> list[Participant]:
    """Grid company, retailers, aggregator, owners of sections, sellers of other provinces."""
    found = [Participant(GRID_COMPANY, "国网山东省电力公司", "grid_company", "province", "SD")]
    for number, (retailer, city) in enumerate(zip(RETAILERS, CITIES, strict=False), start=1):
        found.append(
            Participant(retailer, f"{CITIES[city]}售电公司{number:02d}", "retailer", city, NODES[city])
        )
    found.append(Participant(FUND, "政府性基金及附加", "fund", "province", "SD"))
    found.append(Participant(AGGREGATOR, "济南负荷聚合虚拟电厂01", "vpp", "jinan", NODES["jinan"]))
    for kind, named in (("channel_owner", OWNERS), ("outside", OUTSIDE)):
        found += [Participant(key, name, kind, "province", node) for key, (name, node) in named.items()]
    return found


def user_meters(participants: list[Participant]) -> list[Meter]:
    """One meter a user; the largest wholesale users split their supply 60 : 40 over two."""
    found = []
    for user in participants:
        two = user.kind == "wholesale_user" and int(user.participant_id[1:]) <= TWO_METERS
        for number, share in enumerate((0.6, 0.4) if two else (1.0,), start=1):
            multiplier = transformer_ratio(user.voltage_kv, float(user.curve.max()) * 4 * share)
            found.append(
                Meter(f"M-{user.participant_id}-{number:02d}", user.participant_id, multiplier, 1, share)
            )
    return found


def residents_meters(
    found: list[tuple[Participant, list[tuple[str, str, Floats]]]],
) -> list[tuple[Meter, Floats]]:
    """The meters of residents with the kWh each one carries."""
    meters = []
    for participant, parts in found:
        for suffix, voltage, curve in parts:
            multiplier = transformer_ratio(voltage, float(curve.max()) * 4)
            meter_id = f"M-{participant.participant_id}-{suffix}"
            meters.append((Meter(meter_id, participant.participant_id, multiplier, 1, 1.0), curve))
    return meters


def transformer_ratio(voltage_kv: str, peak_kw: float) -> int:
    """CT times PT that carries the peak, 1 for a directly connected meter (倍率 = CT * PT)."""
    current = peak_kw / (np.sqrt(3.0) * float(voltage_kv))
    if voltage_kv == "0.4" and current <= 60:
        return 1
    fitting = [primary for primary in CURRENT_TRANSFORMERS if primary >= current]
    primary = fitting[0] if fitting else CURRENT_TRANSFORMERS[-1]
    return primary // 5 * VOLTAGE_TRANSFORMERS[voltage_kv]


def write(
    folder: Path,
    participants: list[Participant],
    meters: list[Meter],
    basic_fee: Callable[[Participant], str],
) -> None:
    """participants.csv and meters.csv; basic_fee: how a user of a two-part tariff pays, empty for others."""
    write_csv(
        folder / "participants.csv",
        "participant_id name kind city node voltage_kv capacity_kva tariff_class retailer_id valid_from valid_to "
        "basic_fee power_factor_standard",
        (
            [
                *(p.participant_id, p.name, p.kind, p.city, p.node, p.voltage_kv, p.capacity_kva),
                *(p.tariff_class, p.retailer_id, "2022-01-01", None, basic_fee(p), None),
            ]
            for p in participants
        ),
    )
    write_csv(
        folder / "meters.csv",
        "meter_id participant_id multiplier direction valid_from valid_to",
        ([m.meter_id, m.participant_id, m.multiplier, m.direction, "2022-01-01", None] for m in meters),
    )


def _chosen_loads(sources: Sources) -> pd.DataFrame:
    """The loads that become users, with their kind and voltage."""
    loads = sources.loads[~sources.loads["profile"].isin(LEFT_OUT)].copy()
    july_mean = sources.load.iloc[JULY * 96 :].mean()
    loads["mean_mw"] = loads["pLoad"] * july_mean.reindex(loads["profile"]).to_numpy()
    loads = loads.sort_values(["mean_mw", "id"], ascending=[False, True])
    level = loads["subnet"].str[:2]
    ehv = loads[level == "EH"].head(EHV_USERS).assign(voltage_kv="220")
    kinds = ("wholesale_user", "retail_user", "wholesale_user", "agency_user")
    ehv["kind"] = ["wholesale_user"] * TOP_WHOLESALE + [
        kinds[place % 4] for place in range(len(ehv) - TOP_WHOLESALE)
    ]
    hv = loads[level == "HV"].sort_values(["profile", "pLoad", "id"], ascending=[True, False, True])
    hv = _spread_over_profiles(hv).head(HV_USERS).assign(voltage_kv="110")
    hv["kind"] = ["agency_user" if place % 5 in (1, 3) else "retail_user" for place in range(len(hv))]
    small_business = loads["profile"].str.match(r"G\d|L\d") & (level == "MV")
    mv = _spread_over_profiles(loads[small_business]).head(MV_USERS).assign(voltage_kv="10")
    mv["kind"] = ["retail_user" if place % 7 in (1, 3, 5) else "agency_user" for place in range(len(mv))]
    return pd.concat([ehv, hv, mv])


def _spread_over_profiles(loads: pd.DataFrame) -> pd.DataFrame:
    """The largest load of every profile, then the second largest of every profile, and so on."""
    loads = loads.sort_values(["profile", "pLoad", "id"], ascending=[True, False, True])
    return loads.assign(rank=loads.groupby("profile").cumcount()).sort_values(["rank", "profile"])


def _cities(loads: pd.DataFrame) -> dict[str, str]:
    """Load id -> city: the loads from west to east in five equal parts, as the cities lie."""
    west_to_east = loads.sort_values(["x", "id"])["id"].tolist()
    parts = np.array_split(np.arange(len(west_to_east)), len(CITIES))
    return {west_to_east[place]: city for city, part in zip(CITIES, parts, strict=True) for place in part}


def _branch(profile: str) -> str:
    if profile.startswith("HS"):
        return INDUSTRY[int(profile[2:]) % len(INDUSTRY)]
    return next((name for start, name in TRADES.items() if profile.startswith(start)), "园区")


def _capacity_kva(curve: Floats) -> int:
    """A transformer capacity 25 % above the peak of the 78 days, in steps of 50 kVA."""
    return int(np.ceil(by_day(curve).max() * 4 * 1.25 / 50) * 50)
