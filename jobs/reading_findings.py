"""What the checks of readings found, as sentences: one finding a rule and meter (docs/readings.md)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta
from itertools import islice
from typing import Any

import numpy as np

from jobs.reading_checks import Seen
from jobs.register_checks import Odd
from market.curves import is_missing
from market.periods import LABELS
from market.reading_rules import ReadingLimits
from settlement.findings import Finding, Severity

MOST = 50  # places named in the evidence; the count says how many there are
INFORMS = ("register_rolled_over",)

OF_INTERVALS = {
    "negative_reading": "Meter {meter} of {who} reads below zero in {count} quarter-hours, first on {first} (R26); "
    "energy has a direction and no sign. Deliver the right readings, or the meter with direction -1.",
    "reading_above_capacity": "Meter {meter} of {who} reads more than its capacity can carry in {count} "
    "quarter-hours, first on {first}; look at the multiplier, the unit and the capacity on record.",
    "reading_spike": "Meter {meter} of {who} has {count} single quarter-hours far above their neighbours and their "
    "day, first on {first}; ask whether they are readings after a gap.",
}
GAPS = {
    "missing_meter_day": "Meter {meter} of {who} has no readings on whole days, {count} quarter-hours together, first on "
    "{first} (R25); deliver them.",
    "missing_reading": "Meter {meter} of {who} lacks {count} quarter-hours, first on {first} (R25); deliver them.",
}
OF_REGISTERS = {
    "register_backwards": "The {flow} register {rate} of meter {meter} ran from {start_kwh} back to {end_kwh} kWh "
    "between {days} (R05), too far for a wrap of {digits} digits; read it again.",
    "register_rolled_over": "The {flow} register {rate} of meter {meter} went from {start_kwh} to {end_kwh} kWh between "
    "{days}; taken as a wrap of {digits} digits (R06).",
    "multiplier_differs": "The sender takes meter {meter} times {sent}, the record says {record} ({days}, R07); mend "
    "the one that is wrong.",
    "multiplier_not_split": "The multiplier of meter {meter} changed between {days}, and the {flow} register {rate} was "
    "not read on the day of the change (R08); deliver a read of that day.",
    "reverse_energy": "The {flow} register of meter {meter} counted {counted_kwh} kWh between {days}, against the "
    "direction that the meter settles; look for a feed-in or crossed wires.",
    "rates_do_not_add": "The rates of meter {meter} ({flow}, {days}) add up to {rates_kwh} kWh, its total counted "
    "{total_kwh} kWh (R09); find the rate that is wrong.",
    "day_out_of_balance": "The quarter-hours of meter {meter} add up to {intervals_kwh} kWh on the day {days}, its "
    "register counted {register_kwh} kWh (R10); find which of them is wrong.",
    "month_out_of_balance": "The quarter-hours of meter {meter} add up to {intervals_kwh} kWh over {days}, its register "
    "counted {register_kwh} kWh (R11); find which of them is wrong.",
    "zero_energy": "Meter {meter} of {who} counted nothing this month nor in those before (R01); ask whether it is "
    "still in use.",
    "energy_rise": "Meter {meter} of {who} took {month_kwh} kWh, far above its three months before (R02); confirm it.",
    "energy_fall": "Meter {meter} of {who} took {month_kwh} kWh, far below its three months before (R03); confirm it.",
    "year_on_year": "Meter {meter} of {who} took {month_kwh} kWh, far from the same month a year before (R04); "
    "confirm it.",
    "sub_meters_exceed": "The meters behind {meter} took {subs_kwh} kWh, itself {main_kwh} kWh (R16); look for a wrong "
    "multiplier or a meter that stands behind another one.",
}


def place_of(code: str) -> int:
    """Where findings of a code stand in the list: quarter-hours, days, registers and months, then estimates."""
    groups: tuple[Collection[str], ...] = (
        GAPS,
        OF_INTERVALS,
        ("reading_flat",),
        ("daily_jump",),
        OF_REGISTERS,
    )
    return next((place for place, codes in enumerate(groups) if code in codes), len(groups))


def reading_findings(
    seen: Seen, odd: Sequence[Odd], limits: ReadingLimits, city: dict[str, str | None], accepts: Sequence[str]
) -> list[Finding]:
    """accepts: the checks whose values the ladder replaced or took out, which then no longer block."""
    return [
        *_of_intervals(seen, city, accepts),
        *_flat(seen, limits, city),
        *_jumps(seen, city),
        *_of_registers(seen, odd, city),
    ]


def gap_findings(seen: Seen, city: dict[str, str | None]) -> list[Finding]:
    """R25 计量缺点: fewer than 96 points on a day, one finding a meter and kind of gap, with the points that lack.

    A run names what is still missing when it settles (``jobs.month_inputs``); these are of the readings as delivered.
    """
    lacking: dict[tuple[str, str], dict[str, int]] = {}
    owner: dict[str, str] = {}
    for gap in seen.gaps:
        points = is_missing(gap.readings).sum(axis=1).tolist()
        for meter, who, count in zip(gap.meter_ids, gap.participants, points, strict=True):
            if count:
                code = "missing_meter_day" if gap.absent else "missing_reading"
                lacking.setdefault((code, meter), {})[str(gap.date)] = count
                owner[meter] = who
    return [
        Finding(
            code,
            Severity.BLOCK,
            meter,
            GAPS[code].format(
                meter=meter, who=owner[meter], count=sum(days.values()), first=next(iter(days))
            ),
            city=city.get(owner[meter]),
            evidence={"participant_id": owner[meter], "points": days},
        )
        for (code, meter), days in sorted(lacking.items())
    ]


def _of_intervals(seen: Seen, city: dict[str, str | None], accepts: Sequence[str]) -> Iterator[Finding]:
    for code, by_meter in sorted(seen.odd.items()):
        for row, places in sorted(by_meter.items()):
            count = sum(len(periods) for _, periods in places)
            at = islice(((day, period) for day, periods in places for period in periods), MOST)
            stamps = [f"{day} {LABELS[period - 1]}" for day, period in at]
            who = seen.owner[row]
            sentence = OF_INTERVALS[code].format(
                meter=seen.meter_ids[row], who=who, count=count, first=stamps[0]
            )
            blocks = code == "negative_reading" and code not in accepts
            yield Finding(
                code,
                Severity.BLOCK if blocks else Severity.REVIEW,
                str(seen.meter_ids[row]),
                sentence,
                city=city.get(who),
                evidence={"participant_id": who, "count": count, "periods": stamps},
            )


def _flat(seen: Seen, limits: ReadingLimits, city: dict[str, str | None]) -> Iterator[Finding]:
    runs = seen.flat
    for row in np.flatnonzero((runs.longest >= limits.flat_periods) & runs.varied).tolist():
        who, length = seen.owner[row], int(runs.longest[row])
        last = seen.month.first + timedelta(days=int(runs.ends_on[row]))
        yield Finding(
            "reading_flat",
            Severity.REVIEW,
            str(seen.meter_ids[row]),
            f"Meter {seen.meter_ids[row]} of {who} repeats one and the same reading over {length} quarter-hours up to "
            f"{last}; ask whether it was frozen.",
            city=city.get(who),
            evidence={"participant_id": who, "quarter_hours": length, "last_day": str(last)},
        )


def _jumps(seen: Seen, city: dict[str, str | None]) -> Iterator[Finding]:
    if seen.jumps is None:
        return
    for row in np.flatnonzero(seen.jumps.any(axis=1)).tolist():
        places = np.flatnonzero(seen.jumps[row]).tolist()
        dates = [str(seen.month.first + timedelta(days=day)) for day in places]
        who = seen.owner[row]
        yield Finding(
            "daily_jump",
            Severity.REVIEW,
            str(seen.meter_ids[row]),
            f"The energy of meter {seen.meter_ids[row]} of {who} jumps against the seven days before on "
            f"{', '.join(dates[:3])}{' and more' if len(dates) > 3 else ''}; confirm it.",
            city=city.get(who),
            evidence={"participant_id": who, "dates": dates},
        )


def _of_registers(seen: Seen, odd: Sequence[Odd], city: dict[str, str | None]) -> Iterator[Finding]:
    owner = dict(zip(map(str, seen.meter_ids), seen.owner, strict=True))
    grouped: dict[tuple[str, str], list[Odd]] = {}
    for one in odd:
        grouped.setdefault((one.code, one.meter_id), []).append(one)
    for (code, meter_id), found in sorted(grouped.items()):
        who = owner.get(meter_id)
        said: dict[str, Any] = {"meter": meter_id, "who": who or "nobody", **found[0].said}
        more = f" {len(found) - 1} more such reads." if len(found) > 1 else ""
        yield Finding(
            code,
            Severity.INFORM if code in INFORMS else Severity.REVIEW,
            meter_id,
            OF_REGISTERS[code].format(**said) + more,
            city=None if who is None else city.get(who),
            evidence={
                "participant_id": who,
                "count": len(found),
                "reads": [one.said for one in found[:MOST]],
            },
        )
