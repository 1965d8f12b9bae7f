"""How long the second layer takes: watching a month of readings, every bill, and posting them.

    python benchmarks/consumer_bills.py [USERS]

Users are made up: 48 % retail over 20 packages, 48 % agency, 4 % residents; 31 days, one change of terms on the 16th.
Reading files and writing the run's Parquet is not counted; ``benchmarks/settle_month.py`` times the whole job.
"""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import numpy as np

from market.profiles import profile
from settlement.ledger import Line
from settlement.month import MonthSettlement
from settlement.retail.bill import energy_bills
from settlement.retail.books import Suppliers, with_bills
from settlement.retail.monthly import basic_fee, green_certificates, power_factor
from settlement.retail.packages import Choice, Package
from settlement.retail.tariffs import Tariff, TariffBook
from settlement.retail.time_of_use import by_period, periods_of_day
from settlement.retail.use import ConsumerUse, Customer, Span

FIRST = date(2022, 7, 1)
DAYS = tuple(FIRST + timedelta(days=n) for n in range(31))
RETAILERS = tuple(f"R{n:02d}" for n in range(1, 5))
COMPONENTS = [
    "agency_purchase",
    "history_deviation",
    "capacity_compensation",
    "line_loss",
    "transmission",
    "pumped_storage",
    "coal_capacity",
    "mechanism_difference",
    "cross_subsidy",
    "residual_priority",
    "other_system_operation",
    "fund",
    "catalogue",
    "retail_reference",
]


def packages() -> list[Package]:
    """Five kinds a retailer."""
    prices = (720_000, 610_000, 428_000, 236_000, 236_000)
    found = []
    for retailer in RETAILERS:
        fixed = Package(
            f"FIX{retailer}", retailer, "fixed", 100, prices, green_share=2000, green_mills=18_500
        )
        linked = replace(
            fixed, package_id=f"SPT{retailer}", kind="spot_linked", fixed_percent=0, linked_to="real_time"
        )
        mixed = replace(
            linked, package_id=f"MIX{retailer}", kind="mixed", fixed_percent=40, x1=500, y1_mills=30_000
        )
        reference = replace(fixed, package_id=f"REF{retailer}", kind="reference_linked", fixed_percent=0)
        found += [
            fixed,
            linked,
            mixed,
            reference,
            replace(linked, package_id=f"CAP{retailer}", cap_mills=420_000),
        ]
    return found


def customers(users: int) -> tuple[list[str], list[Customer]]:
    """Names and terms in order of id."""
    of, names, found = packages(), [], []
    for n in range(users):
        name = f"U{n:06d}"
        names.append(name)
        kind = ("retail_user", "agency_user")[n % 2] if n % 25 else "residents"
        package = of[n % len(of)] if kind == "retail_user" else None
        choice = None if package is None else Choice(name, package.package_id, FIRST, FIRST, agreed_wh=10**9)
        two_part = n % 3 == 0
        found.append(
            Customer(
                kind,
                "large_industry" if two_part else "general_industry",
                ("1_to_35kv", "110_to_220kv", "from_220kv")[n % 3],
                "GRID" if package is None else package.retailer_id,
                Decimal(1000 + n % 700),
                "capacity" if two_part else None,
                None,
                package,
                choice,
            )
        )
    return names, found


def tariffs() -> TariffBook:
    """A price for every component and band."""
    rows = [
        Tariff(name, "all", "all", 1_234_567 + n * 1000, "cny_per_kwh", "SD", "bench", None, FIRST)
        for n, name in enumerate(COMPONENTS)
    ]
    fee = Tariff(
        "basic_capacity", "all", "all", 2_630_000_000, "cny_per_kva_month", "SD", "bench", None, FIRST
    )
    return TariffBook([*rows, fee])


def main() -> None:
    """Print the parts and their sum."""
    users = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    rules_used = profile("SD_2022")
    rules, matrix = rules_used.consumer, rules_used.matrix
    if rules is None or matrix is None:
        raise SystemExit("SD_2022 has no consumer rules")
    draw = np.random.default_rng(1)
    readings = draw.integers(0, 300_000, (users, 96))
    price = draw.integers(-80_000, 900_000, 96)
    names, found = customers(users)
    shape = (users, len(DAYS))

    started = time.process_time()
    periods = np.zeros((*shape, 5), np.int64)
    spot = np.zeros(shape, np.int64)
    linked = np.array([who.package is not None and who.package.linked_to is not None for who in found])
    rows, where = np.arange(users), np.flatnonzero(linked)
    for d, day in enumerate(DAYS):
        clock = periods_of_day(rules.time_of_use[0].value, day)
        np.add.at(periods[:, d], rows, by_period(readings, clock))
        np.add.at(spot[:, d], where, readings[where] @ price)
    watched = time.process_time() - started

    use = ConsumerUse(
        tuple(names),
        DAYS,
        periods,
        np.zeros(shape, np.bool_),
        {"real_time": spot},
        {"real_time": np.zeros(shape, np.bool_)},
        dict.fromkeys(names, 10**8),
        {},
    )
    terms = tuple(found)
    spans = [Span(0, 15, terms), Span(15, 31, terms)]
    started = time.process_time()
    bills = energy_bills(use, spans, tariffs(), rules)
    by_energy = time.process_time() - started
    started = time.process_time()
    basic_fee(bills, spans, rules)
    power_factor(bills, spans, rules)
    green_certificates(bills, spans, {})
    monthly = time.process_time() - started
    first = tuple(Line(who, "energy_real_time", None, 1, 10**9) for who in (*RETAILERS, "GRID"))
    result = MonthSettlement(first, (), (), (), (), {}, ())
    suppliers = Suppliers("GRID", "FUND-GOV", {}, {}, rules.grid_company_own_charges)
    started = time.process_time()
    done = with_bills(result, [bills], suppliers, matrix, {})
    posted = time.process_time() - started
    if bills.lacks:
        raise SystemExit(f"the benchmark lacks {bills.lacks[0]}")
    print(f"users             {users:>12,}")
    print(f"lines             {len(done.lines):>12,}")
    print(f"watching 31 days  {watched:>12.2f} s")
    print(f"energy charges    {by_energy:>12.2f} s")
    print(f"monthly charges   {monthly:>12.2f} s")
    print(f"lines and posting {posted:>12.2f} s")
    print(f"together          {watched + by_energy + monthly + posted:>12.2f} s")
    print(f"peak memory       {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:>12.0f} MB")


if __name__ == "__main__":
    main()
