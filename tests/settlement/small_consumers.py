"""A few consumers of a small market with their month, for tests of bills; every number of it is drawn from a seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
from small_market import SD_2022

from market.consumer import ConsumerRules
from market.periods import Month
from settlement.retail.bill import Bills, energy_bills
from settlement.retail.books import Suppliers
from settlement.retail.monthly import NOTHING, basic_fee, green_certificates, power_factor, termination
from settlement.retail.packages import Choice, Package
from settlement.retail.tariffs import Tariff, TariffBook
from settlement.retail.time_of_use import by_period, periods_of_day
from settlement.retail.use import ConsumerUse, Customer, Span

JULY = Month(2022, 7)
FIRST = JULY.first
RULES = SD_2022.consumer
SUPPLIERS = Suppliers("GRID", "FUND-GOV", {}, {}, RULES.grid_company_own_charges)
PRICES = {
    "agency_purchase": 39_400_123,
    "history_deviation": -362_000,
    "capacity_compensation": 9_910_000,
    "line_loss": 1_364_300,
    "transmission": 12_630_000,
    "pumped_storage": 231_600,
    "coal_capacity": 3_665_700,
    "mechanism_difference": 1_924_400,
    "cross_subsidy": 1_299_400,
    "residual_priority": 676_200,
    "other_system_operation": 430_000,
    "fund": 2_716_875,
    "catalogue": 54_690_000,
    "retail_reference": 38_809_000,
}
FIXED = Package(
    "LSGD220001",
    "R1",
    "fixed",
    100,
    (720_001, 610_000, 428_333, 236_000, 236_000),
    cap_mills=430_000,
    x1=500,
    x2=1000,
    y1_mills=30_000,
    y2_mills=20_000,
    green_share=3333,
    green_mills=18_500,
)
LINKED = Package("SPOT220001", "R1", "mixed", 41, FIXED.period_mills, "real_time", spread_mills=12_345)
OTHERS = replace(LINKED, package_id="SPOT220002", retailer_id="R2", fixed_percent=17)


def tariff(component: str, price: int, since: date = date(2022, 1, 1), to: date | None = None) -> Tariff:
    return Tariff(component, "all", "all", price, "cny_per_kwh", "SD", "by hand", None, since, to)


BOOK = TariffBook(
    [
        *(tariff(name, price) for name, price in PRICES.items()),
        tariff("basic_capacity", 2_440_000_000),
        tariff("basic_demand", 3_900_000_000),
    ]
)


def choice(who: str, package: Package, agreed_wh: int | None = 10**9) -> Choice:
    return Choice(who, package.package_id, date(2022, 5, 1), date(2022, 6, 1), agreed_wh=agreed_wh)


def retail(who: str, package: Package | None, **changes: object) -> Customer:
    values: dict[str, object] = {
        "kind": "retail_user",
        "tariff_class": "general_industry",
        "band": "1_to_35kv",
        "supplier": "R1" if package is None else package.retailer_id,
        "capacity_kva": Decimal(1600),
        "package": package,
        "choice": None if package is None else choice(who, package),
    }
    return Customer(**{**values, **changes})  # type: ignore[arg-type]


def agency(**changes: object) -> Customer:
    values: dict[str, object] = {
        "kind": "agency_user",
        "tariff_class": "large_industry",
        "band": "1_to_35kv",
        "supplier": "GRID",
        "capacity_kva": Decimal(2000),
        "basic_fee": "capacity",
    }
    return Customer(**{**values, **changes})  # type: ignore[arg-type]


RESIDENTS = Customer("residents", "residents", "1_to_35kv", "GRID")


def curves(seed: int, rows: int, days: int = 31, largest: int = 4_000_000) -> np.ndarray:
    """(rows, days, 96) Wh."""
    return np.random.default_rng(seed).integers(0, largest, (rows, days, 96))


def use_of(
    names: Sequence[str],
    energy: np.ndarray,
    *,
    rules: ConsumerRules = RULES,
    reactive: Mapping[str, int | None] | None = None,
    demand: Mapping[str, int | None] | None = None,
    missing: Sequence[tuple[int, int]] = (),
) -> ConsumerUse:
    """The month of these curves; the real-time price of a quarter-hour is its number x 7 元/MWh."""
    days = tuple(FIRST + timedelta(days=n) for n in range(energy.shape[1]))
    periods = np.zeros((*energy.shape[:2], 5), np.int64)
    for d, day in enumerate(days):
        rule = next(entry.value for entry in rules.time_of_use if entry.holds(day))
        periods[:, d] = by_period(energy[:, d], periods_of_day(rule, day))
    gaps = np.zeros(energy.shape[:2], np.bool_)
    for row, d in missing:
        gaps[row, d] = True
    spot = energy @ (np.arange(96) * 7_000)
    return ConsumerUse(
        tuple(names),
        days,
        periods,
        gaps,
        {"real_time": spot, "day_ahead": spot},
        {"real_time": np.zeros_like(gaps), "day_ahead": np.zeros_like(gaps)},
        reactive if reactive is not None else dict.fromkeys(names, 500_000_000),
        demand or {},
    )


def wholesale(**changes: object) -> Customer:
    """A user that buys its energy wholesale and pays the network's fees to the grid company."""
    return agency(kind="wholesale_user", **changes)


def billed(
    use: ConsumerUse,
    spans: Sequence[Span],
    book: TariffBook = BOOK,
    rules: ConsumerRules = RULES,
    first_layer: Mapping[str, Mapping[str, int | None]] = NOTHING,
) -> Bills:
    """Every charge of these terms; first_layer: fen of wholesale lines by charge and participant."""
    bills = energy_bills(use, spans, book, rules)
    basic_fee(bills, spans, rules)
    power_factor(bills, spans, rules, first_layer)
    termination(bills, spans, JULY, rules)
    green_certificates(bills, spans, {})
    return bills


def all_month(*customers: Customer | None) -> list[Span]:
    return [Span(0, 31, customers)]


def fen_of(bills: Bills) -> dict[tuple[str, str], int | None]:
    """(participant, charge) -> fen of everyone who pays it."""
    return {
        (who, code): fen
        for code, column in bills.columns.items()
        for who, fen, pays in zip(bills.use.participants, column.fen(), column.pays.tolist(), strict=True)
        if pays
    }
