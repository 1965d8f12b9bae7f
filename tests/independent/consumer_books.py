"""The bills of retail users, agency users and residents of a July once more, in plain Decimal loops.

Nothing here is shared with the product: prices, packages and readings are read from the files, periods, ratios and
the power-factor steps are written out from market.md B.7-B.10. It knows a month in which nobody's terms change.
Energy is Wh, money Decimal yuan until the line, which is a whole number of fen. A charge is positive.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from pathlib import Path
from typing import NamedTuple

from month_books import (
    Books,
    Row,
    csv_rows,
    days_of_month,
    in_force,
    keyed,
    parquet_rows,
    read_energy,
    whole,
)
from recalculate import Line, user_price

BILLED = (
    "agency_energy",
    "agency_capacity",
    "agency_deviation",
    "agency_cost",
    "time_of_use",
    "retail_energy",
    "retail_capacity",
    "retail_cap",
    "retail_deviation",
    "retail_termination",
    "retail_adjustment",
    "retail_cost",
    "retail_margin",
    "green_certificates",
    "line_loss_fee",
    "transmission_fee",
    "system_operation_fee",
    "government_funds",
    "basic_fee",
    "power_factor",
    "residents_bill",
)
FUND = "FUND-GOV"
MWH, KWH = Decimal(1_000_000), Decimal(1000)


class Clock(NamedTuple):
    """What a July has in clock hours, and what a kWh costs then as a multiple of flat."""

    sharp: set[int]
    peak: set[int]
    valley: set[int]
    ratio: Mapping[str, Decimal]

    def period(self, hour: int) -> str:
        for name in ("sharp", "peak", "valley"):
            if hour in getattr(self, name):
                return name
        return "flat"


OF_2022 = Clock(  # market.md B.8, June to August: peak 9-11, 15-22, valley 0-7, 12-14, sharp 10-11, 19-21; sharp = peak x 1.2
    sharp={10, 19, 20},
    peak={9, 15, 16, 17, 18, 21},
    valley={0, 1, 2, 3, 4, 5, 6, 12, 13},
    ratio={"sharp": Decimal("1.8"), "peak": Decimal("1.5"), "flat": Decimal(1), "valley": Decimal("0.5")},
)
OF_2025 = Clock(  # market.md B.8, July and August: valley 01-06, peak 16-23, sharp 17-22; peak and valley 70 %, sharp + 100 %
    sharp={17, 18, 19, 20, 21},
    peak={16, 22},
    valley={1, 2, 3, 4, 5},
    ratio={"sharp": Decimal(2), "peak": Decimal("1.7"), "flat": Decimal(1), "valley": Decimal("0.3")},
)
FLOATING = ("agency_purchase", "capacity_compensation", "line_loss", "pumped_storage", "coal_capacity")
OPERATION = (
    "pumped_storage",
    "coal_capacity",
    "mechanism_difference",
    "cross_subsidy",
    "residual_priority",
    "other_system_operation",
)
# what a kind pays for every kWh, by components of the price (B.7)
PRICED = {
    "agency_user": {
        "agency_energy": ("agency_purchase",),
        "agency_deviation": ("history_deviation",),
        "agency_capacity": ("capacity_compensation",),
        "line_loss_fee": ("line_loss",),
        "transmission_fee": ("transmission",),
        "system_operation_fee": OPERATION,
        "government_funds": ("fund",),
    },
    "retail_user": {
        "retail_capacity": ("capacity_compensation",),
        "line_loss_fee": ("line_loss",),
        "transmission_fee": ("transmission",),
        "system_operation_fee": OPERATION,
        "government_funds": ("fund",),
    },
    "wholesale_user": {
        "line_loss_fee": ("line_loss",),
        "transmission_fee": ("transmission",),
        "system_operation_fee": OPERATION,
        "government_funds": ("fund",),
    },
    "residents": {"residents_bill": ("catalogue",)},
}
# the energy of a user that buys wholesale, of which the power factor takes its percent (B.9)
WHOLESALE_ENERGY = (
    "energy_real_time",
    "energy_day_ahead",
    "contract",
    "month_adjustment",
    "capacity_compensation",
)
WITHOUT_POWER_FACTOR = ("government_funds", "green_certificates", "retail_deviation", "retail_termination")
REDUCTIONS = {  # B.9: percent for each hundredth above the standard, the last one stays
    Decimal("0.90"): "0.15 0.30 0.45 0.60 0.75",
    Decimal("0.85"): "0.1 0.2 0.3 0.4 0.5 0.65 0.80 0.95 1.10",
}

Lines = dict[tuple[str, str], Line]


def to_fen(yuan: Decimal) -> int:
    return int((yuan * 100).quantize(Decimal(1), ROUND_HALF_UP))


def number(text: str) -> Decimal | None:
    return Decimal(text) if text else None


def band(kilovolt: Decimal) -> str:
    for least, name in ((220, "from_220kv"), (110, "110_to_220kv"), (35, "35_to_110kv"), (1, "1_to_35kv")):
        if kilovolt >= least:
            return name
    return "below_1kv"


def price(tariffs: list[Row], component: str, user: Row, day: date) -> Decimal:
    """The own class and voltage before the row for all; exactly one must hold."""
    for of_class in (user["tariff_class"], "all"):
        for of_band in (band(Decimal(user["voltage_kv"])), "all"):
            found = [
                row
                for row in tariffs
                if (row["component"], row["tariff_class"], row["voltage_band"])
                == (component, of_class, of_band)
                and in_force(row, day)
            ]
            if found:
                (row,) = found
                return Decimal(row["price_cny"])
    raise ValueError(f"no price of {component} for {user['participant_id']}")


def chosen(folder: Path, first_day: date) -> dict[str, tuple[Row, Row]]:
    """Retail user -> (its choice, its package) on the first day; both must hold all month."""
    packages = keyed(csv_rows(folder, "packages"), "package_id")
    after = (first_day + timedelta(days=32)).replace(day=1)
    found: dict[str, tuple[Row, Row]] = {}
    for row in csv_rows(folder, "package_choices"):
        signed = date.fromisoformat(row["signed_on"])
        begins = max(
            date.fromisoformat(row["valid_from"]), (signed.replace(day=1) + timedelta(days=32)).replace(day=1)
        )
        ends = date.fromisoformat(row["valid_to"]) if row["valid_to"] else None
        if begins <= first_day and (ends is None or ends >= after):
            if row["participant_id"] in found:
                raise ValueError(f"{row['participant_id']} has two packages")
            found[row["participant_id"]] = (row, packages[row["package_id"]])
    return found


def reactive(folder: Path, days: list[date]) -> dict[str, int]:
    """varh of the month by participant, over all its meters and both flows."""
    meters = keyed(csv_rows(folder, "meters"), "meter_id")
    total: dict[str, int] = defaultdict(int)
    seen: dict[str, set[date]] = defaultdict(set)
    for row in parquet_rows(folder, "reactive_readings*.parquet", days):
        meter = meters[row["meter_id"]]
        total[meter["participant_id"]] += sum(read_energy(row, 1000 * Decimal(meter["multiplier"])))
        seen[row["meter_id"]].add(row["date"])
    if short := [meter for meter, dates in seen.items() if dates != set(days)]:
        raise ValueError(f"reactive readings of {short[0]} lack days")
    return total


def demand_kw(folder: Path, first_day: date) -> dict[str, Decimal]:
    meters = keyed(csv_rows(folder, "meters"), "meter_id")
    found: dict[str, Decimal] = defaultdict(Decimal)
    for row in csv_rows(folder, "maximum_demand"):
        if row["month"] == f"{first_day:%Y-%m}":
            meter = meters[row["meter_id"]]
            found[meter["participant_id"]] += Decimal(row["demand_kw"]) * Decimal(meter["multiplier"])
    return found


def cos_phi(active: int, varh: int) -> Decimal:
    with localcontext() as context:
        context.prec = 60
        apparent = (Decimal(active) ** 2 + Decimal(varh) ** 2).sqrt()
        return (Decimal(active) / apparent).quantize(Decimal("0.01"), ROUND_HALF_UP)


def percent(standard: Decimal, cos: Decimal) -> Decimal:
    """Step by step from the standard, as B.9 writes it."""
    steps = int((standard - cos) * 100)
    if steps <= 0:
        reductions = [Decimal(0), *(-Decimal(value) for value in REDUCTIONS[standard].split())]
        return reductions[min(-steps, len(reductions) - 1)]
    up = Decimal(0)
    for step in range(1, steps + 1):
        up += Decimal("0.5") if step <= 20 else Decimal(1) if step <= 25 else Decimal(2)
    return up


def standard_of(user: Row) -> Decimal | None:
    kva = Decimal(user["capacity_kva"])
    if user["tariff_class"] == "large_industry" and kva >= 160:
        return Decimal("0.90")
    if user["tariff_class"] == "general_industry" and kva >= 100:
        return Decimal("0.85")
    return None


def time_of_use(curve: list[int], base: Decimal, clock: Clock) -> Decimal:
    """Sum of energy x (price of its period to six decimals, less the flat price)."""
    above = {
        name: (base * ratio).quantize(Decimal("0.000001"), ROUND_HALF_UP) - base
        for name, ratio in clock.ratio.items()
    }
    used: dict[str, int] = defaultdict(int)
    for quarter, wh in enumerate(curve):
        used[clock.period(quarter % 96 // 4)] += wh
    return sum((Decimal(wh) / KWH * above[name] for name, wh in used.items()), Decimal(0))


def retail_energy(
    curve: list[int], package: Row, spot: Mapping[str, list[int]], reference: Decimal, clock: Clock
) -> Decimal:
    """Fixed by period, linked to spot or a reference price, or a share of each (B.10)."""
    fixed = linked = Decimal(0)
    share = {"fixed": Decimal(1), "mixed": number(package["fixed_share"])}.get(package["kind"], Decimal(0))
    spread = number(package["spread_cny_per_mwh"]) or Decimal(0)
    for quarter, wh in enumerate(curve):
        energy = Decimal(wh) / MWH
        if share:
            fixed += energy * Decimal(package[f"{clock.period(quarter % 96 // 4)}_cny_per_mwh"])
        if share != 1:
            if package["kind"] == "reference_linked":
                at = reference * 1000
            else:
                at = Decimal(spot[package["linked_to"]][quarter]) / 1000
            linked += energy * (at + spread)
    return share * fixed + (1 - share) * linked


class Month(NamedTuple):
    """What every bill of the month is looked up in."""

    books: Books
    first_day: date
    tariffs: list[Row]
    spot: Mapping[str, list[int]]
    packages: Mapping[str, tuple[Row, Row]]
    kilowatt: Mapping[str, Decimal]
    clock: Clock


def bills(
    books: Books,
    folder: Path,
    first_day: date,
    first_layer: Mapping[tuple[str, str], int],
    clock: Clock = OF_2022,
) -> Lines:
    """(participant, charge) -> line, for everyone who is billed. first_layer: fen of the wholesale lines."""
    days = days_of_month(first_day)
    people = keyed(csv_rows(folder, "participants"), "participant_id")
    tariffs: list[Row] = list(csv_rows(folder, "tariffs"))
    spot = {stage: user_price(books, stage) for stage in ("day_ahead", "real_time")}
    packages, kilowatt = chosen(folder, first_day), demand_kw(folder, first_day)
    month = Month(books, first_day, tariffs, spot, packages, kilowatt, clock)
    varh = reactive(folder, days)
    found: Lines = {}
    for name in sorted(books.metered):
        user = people[name]
        if user["kind"] not in PRICED:
            continue
        exact = flat_prices(month, name, user)
        exact |= retail(month, name, user) if user["kind"] == "retail_user" else {}
        exact |= two_parts(month, name, user)
        fen = {charge: to_fen(amount) for charge, amount in exact.items()}
        if user["kind"] != "residents" and (standard := standard_of(user)):
            base = sum(amount for charge, amount in fen.items() if charge not in WITHOUT_POWER_FACTOR)
            if user["kind"] == "wholesale_user":
                base += sum(first_layer.get((name, code), 0) for code in WHOLESALE_ENERGY)
            rate = percent(standard, cos_phi(sum(books.metered[name]), varh[name]))
            fen["power_factor"] = whole(Decimal(base) * rate / 100)
        for charge, amount in fen.items():
            found[name, charge] = Line(amount, quantity(month, name, user["kind"], charge))
    return found


def quantity(month: Month, name: str, kind: str, charge: str) -> int | None:
    """Wh of a line: of the register where the price knows no periods (抄见电量), else of the days."""
    days, beyond = sum(month.books.metered[name]), month.books.beyond_days.get(name, 0)
    if charge in ("basic_fee", "power_factor", "retail_termination"):
        return None
    if charge == "green_certificates":
        return certificates(month, name) * int(MWH)
    if charge == "retail_adjustment":
        return beyond
    return days + beyond if charge in PRICED[kind] else days


def flat_prices(month: Month, name: str, user: Row) -> dict[str, Decimal]:
    """Energy by register x the sum of the charge's components; time of use of what floats, on the days."""
    curve = month.books.metered[name]
    by_register = sum(curve) + month.books.beyond_days.get(name, 0)
    exact = {}
    for charge, components in PRICED[user["kind"]].items():
        per_kwh = sum((price(month.tariffs, of, user, month.first_day) for of in components), Decimal(0))
        exact[charge] = Decimal(by_register) / KWH * per_kwh
    if user["kind"] == "agency_user":
        base = sum((price(month.tariffs, of, user, month.first_day) for of in FLOATING), Decimal(0))
        exact["time_of_use"] = time_of_use(curve, base, month.clock)
    return exact


def two_parts(month: Month, name: str, user: Row) -> dict[str, Decimal]:
    """Capacity or maximum demand x its price (B.7)."""
    if user["basic_fee"] == "capacity":
        per_kva = price(month.tariffs, "basic_capacity", user, month.first_day)
        return {"basic_fee": Decimal(user["capacity_kva"]) * per_kva}
    if user["basic_fee"] == "demand":
        per_kw = price(month.tariffs, "basic_demand", user, month.first_day)
        return {"basic_fee": month.kilowatt[name] * per_kw}
    return {}


def certificates(month: Month, name: str) -> int:
    mwh = Decimal(sum(month.books.metered[name])) / MWH
    return int(mwh * (number(month.packages[name][1]["green_share"]) or 0))


def retail(month: Month, name: str, user: Row) -> dict[str, Decimal]:
    """What the package makes: energy, clauses, and the register's difference at the own retail average (B.2, B.10)."""
    curve, (choice, package) = month.books.metered[name], month.packages[name]
    if package["retailer_id"] != user["retailer_id"]:
        raise ValueError(f"{name} has a package of another retailer")
    reference = price(month.tariffs, "retail_reference", user, month.first_day)
    fee = retail_energy(curve, package, month.spot, reference, month.clock)
    mwh = Decimal(sum(curve)) / MWH
    clauses = by_the_package(mwh, fee, certificates(month, name), choice, package, month.first_day)
    exact = {"retail_energy": fee} | clauses
    if beyond := month.books.beyond_days.get(name, 0):
        with localcontext() as context:
            context.prec = 60
            capped = fee + clauses.get("retail_cap", Decimal(0))
            exact["retail_adjustment"] = Decimal(beyond) * capped / Decimal(sum(curve))
    return exact


def by_the_package(
    mwh: Decimal, fee: Decimal, green: int, choice: Row, package: Row, first_day: date
) -> dict[str, Decimal]:
    """What rests on the package and the whole month: cap, deviation, termination, certificates."""
    exact: dict[str, Decimal] = {}
    if cap := number(package["cap_cny_per_mwh"]):
        exact["retail_cap"] = min(Decimal(0), mwh * cap - fee)
    if package["x1_share"]:
        exact["retail_deviation"] = deviation(mwh, Decimal(choice["agreed_mwh"]), package)
    if choice["ended_early_on"] and package["c2_cny"]:
        exact["retail_termination"] = termination(choice, package, first_day)
    if package["green_share"]:
        exact["green_certificates"] = green * Decimal(package["green_cny_per_certificate"])
    return exact


def deviation(mwh: Decimal, agreed: Decimal, package: Row) -> Decimal:
    above = max(Decimal(0), mwh - agreed * (1 + Decimal(package["x1_share"])))
    below = max(Decimal(0), agreed * (1 - Decimal(package["x2_share"])) - mwh)
    return above * Decimal(package["y1_cny_per_mwh"]) + below * Decimal(package["y2_cny_per_mwh"])


def termination(choice: Row, package: Row, first_day: date) -> Decimal:
    """The lower of C1 x the energy of the months left and C2."""
    ends = date.fromisoformat(choice["term_ends"])
    left = 0
    month = (first_day + timedelta(days=32)).replace(day=1)
    while month < ends:
        left, month = left + 1, (month + timedelta(days=32)).replace(day=1)
    by_energy = Decimal(package["c1_cny_per_mwh"]) * Decimal(choice["agreed_mwh"]) * left
    return min(by_energy.quantize(Decimal("0.01"), ROUND_HALF_UP), Decimal(package["c2_cny"]))


def counter_lines(books: Books, folder: Path, billed: Lines, wholesale: Mapping[str, int]) -> Lines:
    """Who gets what consumers pay (B.13). wholesale: fen of the first layer by participant, the grid company's
    without residents' energy and the loss."""
    people = keyed(csv_rows(folder, "participants"), "participant_id")
    found: Lines = {}
    for charge in (
        "line_loss_fee",
        "transmission_fee",
        "system_operation_fee",
        "basic_fee",
        "power_factor",
        "residents_bill",
        "government_funds",
    ):
        lines = [line for (_, code), line in billed.items() if code == charge]
        payee = FUND if charge == "government_funds" else books.grid_company
        energy = None if charge in ("basic_fee", "power_factor") else total(line.wh for line in lines)
        found[payee, charge] = Line(-sum(line.fen for line in lines), energy)
    income: dict[str, int] = defaultdict(int)
    for (name, code), line in billed.items():
        if code.startswith("retail_") or code == "green_certificates":
            income[people[name]["retailer_id"]] += line.fen
    for retailer, paid in income.items():
        found[retailer, "retail_cost"] = Line(-wholesale[retailer], None)
        found[retailer, "retail_margin"] = Line(-(paid - wholesale[retailer]), None)
    found[books.grid_company, "agency_cost"] = Line(-wholesale[books.grid_company], None)
    return found


def agency_result(books: Books, billed: Lines, wholesale: Mapping[str, int]) -> int:
    """What stands on the account at the end of the month, a loss positive: cost less what the price brought."""
    brought = ("agency_energy", "agency_capacity", "time_of_use", "agency_deviation")
    return wholesale[books.grid_company] - sum(
        line.fen for (_, code), line in billed.items() if code in brought
    )


def total(parts: Iterable[int | None]) -> int:
    return sum(part for part in parts if part is not None)
