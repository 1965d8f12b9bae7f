"""The meters of a corrected month that changed, and the readings that settle where an error adjusts the total alone.

Compared are the readings as the final version settled them and as they are known now, each with its multiplier; what
other corrections did in between does not matter, so that a chain of corrections ends where one would.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from jobs.accepted import Accepted, accepted_days, accepted_of_run
from jobs.basis import past_basis
from jobs.estimates import Estimate
from jobs.month_inputs import UnifiedPrices
from jobs.roster import ROSTER_TABLES, Roster
from market.curves import is_missing
from market.money import IntArray, fen_of_nano
from market.periods import PERIODS, Month
from market.profiles import ProvincialRules
from settlement.error_tariff import MONTHLY_TOTAL, MeterError, Pricing, average_price, spread
from settlement.findings import Finding, Severity
from settlement.metering import wh_of_reading
from warehouse.home import Home
from warehouse.records import read_records
from warehouse.runs import Run

PRICED = (MONTHLY_TOTAL,) * PERIODS


@dataclass(frozen=True)
class MeteringErrors:
    """What the rule changes: readings in the place of those delivered, and a finding for every meter it prices."""

    estimates: tuple[Estimate, ...] = ()
    findings: tuple[Finding, ...] = ()

    def over(self, estimates: tuple[Estimate, ...]) -> tuple[Estimate, ...]:
        """A month's estimates with these before them: one accepted reading a meter and day."""
        mine = {(one.meter_id, one.day) for one in self.estimates}
        kept = [one for one in estimates if (one.meter_id, one.day) not in mine]
        return tuple(sorted([*kept, *self.estimates], key=lambda one: (one.day, one.meter_id)))


@dataclass(frozen=True)
class _Day:
    """One version's readings of a day: meters, (rows, 96) readings and Wh, MISSING where there is none."""

    meters: pd.Index
    readings: IntArray
    wh: IntArray


@dataclass(frozen=True)
class _Version:
    """One version of a month's readings: where its home, roster and accepted readings are."""

    home: Home
    month: Month
    roster: Roster
    accepted: Accepted
    as_of: datetime | None

    def days(self) -> Iterator[_Day]:
        """Every day of the month with the meters its roster knows; a day without any readings has no rows."""
        curves = accepted_days(self.home, self.month, self.as_of, self.accepted)
        following = next(curves, None)
        for day in self.month.days():
            if following is None or following.date != day:
                nothing = np.zeros((0, PERIODS), np.int64)
                yield _Day(pd.Index([], dtype=object), nothing, nothing)
                continue
            roster = self.roster.on(day)
            meters = pd.Index(following.keys["meter_id"].to_pylist())
            place = roster.meter_ids.get_indexer(meters)
            known = place >= 0
            readings = following.values[known]
            yield _Day(meters[known], readings, wh_of_reading(readings, roster.multiplier[place[known]]))
            following = next(curves, None)

    def taking_all_month(self) -> dict[str, tuple[str, int]]:
        """Meters that take energy on every day under one multiplier: their participant and that multiplier."""
        found: dict[str, tuple[str, int]] = {}
        for span in self.roster.spans:
            today = {
                str(meter): (self.roster.metered[who], int(factor))
                for meter, who, factor, sign in zip(
                    span.meter_ids, span.participant, span.multiplier, span.direction, strict=True
                )
                if sign == 1
            }
            found = (
                today
                if span.number == 0
                else {meter: what for meter, what in found.items() if today.get(meter) == what}
            )
        return found


def metering_errors(
    home: Home,
    month: Month,
    roster: Roster,
    accepted: Accepted,
    as_of: datetime | None,
    settled_by: Run,
    unified: UnifiedPrices,
    rules: ProvincialRules,
) -> MeteringErrors:
    """What ``error_tariff`` does to a corrected month; ``settled_by`` is the version that was final.

    accepted: readings as they are known now. unified: the user prices that stay. Nothing where no reading changed.
    """
    if rules.correction_pricing != "error_tariff":
        return MeteringErrors()
    final = past_basis(home, settled_by)
    records = [read_records(final.home, name, as_of=final.as_of) for name in ROSTER_TABLES]
    then = _Version(
        final.home, month, Roster(month, *records), accepted_of_run(settled_by.folder), final.as_of
    )
    now = _Version(home, month, roster, accepted, as_of)
    errors = list(_errors(then, now))
    kinds = frozenset(rules.error_tariff_kinds)
    small = [
        one for one in errors if one.pricing(rules.error_tariff_threshold, kinds) is Pricing.MONTHLY_TOTAL
    ]
    meters = [one.meter_id for one in small]
    curves = zip(_curves(then, meters), _curves(now, meters), strict=True)
    prices = np.stack([unified[day]["real_time"] for day in month.days()])
    factors = now.taking_all_month()
    estimates, findings = [], []
    for one, ((_, settled), (raw, _)) in zip(small, curves, strict=True):
        readings = spread(settled, one.corrected_wh, factors[one.meter_id][1])
        estimates += [
            Estimate(
                day, one.meter_id, one.participant_id, raw[n], readings[n], np.ones(PERIODS, bool), PRICED
            )
            for n, day in enumerate(month.days())
        ]
        findings.append(
            _finding(one, average_price(settled, prices), rules, roster.city.get(one.participant_id))
        )
    large = [one for one in errors if one not in small]
    return MeteringErrors(
        tuple(one for one in estimates if one.changed.any()),
        (*findings, *([_by_quarter_hour(month, large, rules)] if large else [])),
    )


def _errors(then: _Version, now: _Version) -> Iterator[MeterError]:
    """Every meter whose energy is not what it was, by id."""
    kept, known = then.taking_all_month(), now.taking_all_month()
    meters = pd.Index(sorted(known))
    settled, corrected, error, days = (np.zeros(len(meters), np.int64) for _ in range(4))
    for before, after in zip(then.days(), now.days(), strict=True):
        old_rows, new_rows = before.meters.get_indexer(meters), after.meters.get_indexer(meters)
        both = np.flatnonzero((old_rows >= 0) & (new_rows >= 0))
        old, new = before.wh[old_rows[both]], after.wh[new_rows[both]]
        sound = ~(is_missing(old) | is_missing(new)).any(axis=1) & ~(old < 0).any(axis=1)
        old, new, both = old[sound], new[sound], both[sound]
        settled[both] += old.sum(axis=1)
        corrected[both] += new.sum(axis=1)
        error[both] += np.abs(new - old).sum(axis=1)
        days[both] += 1
    month_days = len(list(now.month.days()))
    for row in np.flatnonzero(error).tolist():
        meter = str(meters[row])
        who, _ = known[meter]
        whole = days[row] == month_days and kept.get(meter, ("",))[0] == who
        yield MeterError(
            meter,
            who,
            now.roster.kind[who],
            int(settled[row]),
            int(corrected[row]),
            int(error[row]),
            bool(whole),
        )


def _curves(version: _Version, meters: list[str]) -> Iterator[tuple[IntArray, IntArray]]:
    """Of each meter (days, 96) readings and (days, 96) Wh; every meter has a row on every day."""
    if not meters:
        return
    rows = [
        (day.readings[at], day.wh[at])
        for day in version.days()
        if (at := day.meters.get_indexer(meters)) is not None
    ]
    for place in range(len(meters)):
        yield tuple(np.stack([day[column][place] for day in rows]) for column in (0, 1))  # type: ignore[misc]


def _finding(one: MeterError, price: int, rules: ProvincialRules, city: str | None) -> Finding:
    more = one.corrected_wh - one.settled_wh
    share = one.error_wh / one.corrected_wh
    return Finding(
        "error_tariff_applied",
        Severity.INFORM,
        one.meter_id,
        f"The quarter-hours of meter {one.meter_id} of {one.participant_id} were wrong by {one.error_wh / 1e6:,.3f} MWh, "
        f"{share:.2%} of the month and below {rules.error_tariff_threshold:%}: its monthly total alone is adjusted, by "
        f"{more / 1e6:+,.3f} MWh at {price / 1000:.3f} 元/MWh, the real-time price weighted by its settled energy (SD25, "
        "market.md B.11).",
        city=city,
        evidence={
            "participant_id": one.participant_id,
            "settled_wh": one.settled_wh,
            "corrected_wh": one.corrected_wh,
            "error_wh": one.error_wh,
            "rt_weighted_average_price_mills": price,
        },
        amount_at_stake_fen=abs(fen_of_nano(more * price)),
    )


def _by_quarter_hour(month: Month, large: list[MeterError], rules: ProvincialRules) -> Finding:
    meters = [one.meter_id for one in large]
    return Finding(
        "error_by_quarter_hour",
        Severity.INFORM,
        str(month),
        f"{len(meters)} meters of {month} are settled in their own quarter-hours again: the error reaches "
        f"{rules.error_tariff_threshold:%} of the month, or the meter is no user's that took energy all month under one "
        "multiplier with every reading there (SD25, market.md B.11).",
        evidence={"meters": meters[:50], "count": len(meters)},
    )
