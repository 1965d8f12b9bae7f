"""Rules about an account's bill: mean price (R13), power factor (R14), basic fee (R15).

Grain: one finding an account and rule, routed to the account's city.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from operator import itemgetter

import numpy as np

from market.audit_rules import MeanPrice
from market.consumer import StandardRule
from market.money import yuan
from market.periods import Month
from settlement.audit.accounts import Account, Record
from settlement.findings import Finding, Severity
from settlement.lines import Line, Lines, sums_by
from settlement.retail.power_factor import hundredths, standard_of

CNY_PER_KWH = Fraction(10)  # fen / Wh = 10 元/kWh


def mean_price_in_range(
    lines: Iterable[Line], kind: Mapping[str, str], ranges: Sequence[MeanPrice], without: Collection[str]
) -> Iterator[Finding]:
    """R13 均价异常: what an account pays a kWh lies outside the range of its kind.

    P̄ = Σ lines / energy of the month. lines without an amount leave the account out: R13 needs the whole bill.
    """
    of_kind = {str(one.kind): one for one in ranges}
    of = Lines.of(lines)
    allowed_of = [of_kind.get(kind.get(who, "")) for who in of.names]
    judged = np.array([one is not None for one in allowed_of], np.bool_)[of.who] & ~of.has_code(without)
    bill = of.only(judged)
    total = sums_by(bill.who, bill.amount.values, len(of.names))
    incomplete = set(bill.who[~bill.amount.known].tolist())
    bounds = {
        one: (Fraction(one.low_cny_per_kwh) / CNY_PER_KWH, Fraction(one.high_cny_per_kwh) / CNY_PER_KWH)
        for one in ranges
    }
    metered = bill.with_codes(one.energy_of for one in ranges)
    for line, place in sorted(zip(metered, metered.who.tolist(), strict=True), key=itemgetter(1)):
        allowed, who, wh = allowed_of[place], line.participant_id, line.quantity_wh
        if allowed is None or line.charge_code != allowed.energy_of:
            continue
        if not wh or wh < 0 or place in incomplete:
            continue
        fen, city = total[place], line.city
        low, high = bounds[allowed]
        if low.numerator * wh <= fen * low.denominator and fen * high.denominator <= high.numerator * wh:
            continue  # low <= P̄ <= high in whole numbers: a province has a hundred thousand of them
        price = CNY_PER_KWH * Fraction(fen, wh)
        if not allowed.low_cny_per_kwh <= price <= allowed.high_cny_per_kwh:
            bound = allowed.low_cny_per_kwh if price < allowed.low_cny_per_kwh else allowed.high_cny_per_kwh
            yield Finding(
                "mean_price_out_of_range",
                Severity.REVIEW,
                who,
                f"{who} pays {float(price):.4f} 元/kWh on average, {yuan(fen)} 元 for {Decimal(wh).scaleb(-6):f} MWh, outside "
                f"{allowed.low_cny_per_kwh}..{allowed.high_cny_per_kwh} (R13). Look at class, multiplier and prices.",
                city=city,
                evidence={"participant_id": who, "amount_fen": fen, "energy_wh": wh},
                amount_at_stake_fen=abs(fen - round(Fraction(bound) * wh / CNY_PER_KWH)),
            )


def power_factor_plausible(
    accounts: Iterable[Account], low: Decimal, standards: Sequence[StandardRule]
) -> Iterator[Finding]:
    """R14 力调异常: cos phi below the limit, or a recorded standard that is not the one of class and capacity."""
    for account in accounts:
        now = account.now
        said = []
        if account.active_wh is not None and account.reactive_varh is not None and account.active_wh > 0:
            cos_phi = hundredths(account.active_wh, max(account.reactive_varh, 0))
            if cos_phi is not None and Decimal(cos_phi) / 100 < low:
                said.append(f"its power factor is {cos_phi / 100:.2f}, below {low}")
        due = standard_of(standards, now.tariff_class or "", now.capacity_kva, None)
        if now.power_factor_standard is not None and now.power_factor_standard != due:
            said.append(
                f"its recorded standard is {now.power_factor_standard}, its class and capacity give {due or 'none'}"
            )
        if said:
            yield Finding(
                "power_factor_odd",
                Severity.REVIEW,
                account.participant_id,
                f"{account.participant_id}: {' and '.join(said)} (R14). Look at the reactive readings and the record.",
                city=now.city,
                evidence={
                    "participant_id": account.participant_id,
                    "active_wh": account.active_wh,
                    "reactive_varh": account.reactive_varh,
                },
            )


def basic_fee_plausible(
    accounts: Iterable[Account], over: Decimal, change_days: int, month: Month
) -> Iterator[Finding]:
    """R15 基本电费异常: maximum demand above the contracted capacity, or how the fee is paid changed too soon again."""
    for account in accounts:
        now = account.now
        said = []
        if account.demand_w is not None and now.capacity_kva is not None:
            limit_w = now.capacity_kva * over * 1000
            if account.demand_w > limit_w:
                said.append(
                    f"its maximum demand {Decimal(account.demand_w).scaleb(-3):f} kW is above {over} times its "
                    f"{now.capacity_kva:f} kVA"
                )
        said += [
            f"its basic fee changed on {later} again, {(later - earlier).days} days after {earlier}"
            for earlier, later in pairwise(_changes(account.records))
            if (later - earlier).days < change_days and month.first <= later < month.after
        ]
        if said:
            yield Finding(
                "basic_fee_odd",
                Severity.REVIEW,
                account.participant_id,
                f"{account.participant_id}: {' and '.join(said)} (R15). Look at the demand reading, the capacity on record "
                "and the notices of change.",
                city=now.city,
                evidence={
                    "participant_id": account.participant_id,
                    "demand_w": account.demand_w,
                    "capacity_kva": None if now.capacity_kva is None else str(now.capacity_kva),
                },
            )


def _changes(records: Sequence[Record]) -> list[date]:
    """The days on which the way of paying or the capacity changed."""
    return [
        after.valid_from
        for before, after in pairwise(records)
        if (before.basic_fee, before.capacity_kva) != (after.basic_fee, after.capacity_kva)
    ]
