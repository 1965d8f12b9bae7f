"""Register reads of a month against each other, against the intervals and against the months before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import NamedTuple

import numpy as np
import pandas as pd

from jobs.earlier_months import MONTHS_BEFORE, compared_months
from jobs.reading_checks import Seen
from market.curves import MISSING
from market.money import IntArray, scaled
from market.periods import Month
from market.reading_rules import ReadingLimits
from settlement.metering import wh_of_reading
from settlement.vee import months, registers
from settlement.vee.days import sub_meters_exceed
from settlement.vee.ratios import micro

FLOW_OF_DIRECTION = {1: "forward", -1: "reverse"}
FLOOR_WH = 1000  # R09's kWh: below it no balance is off


@dataclass(frozen=True)
class Odd:
    """One rule that fired for one meter: its code and the numbers of its sentence."""

    code: str
    meter_id: str
    said: Mapping[str, object]


class Read(NamedTuple):
    """A register read with what its meter's record says of it."""

    meter_id: str
    flow: str
    rate: str
    first: date
    after: date
    start: Decimal
    end: Decimal
    digits: int
    multiplier: Decimal
    sent_multiplier: Decimal | None
    split: bool
    own_flow: bool
    counted: int
    wh: int
    rolled_over: bool
    backwards: bool

    @property
    def span(self) -> str:
        """The days between the reads, for sentences."""
        return f"{self.first} to {self.after}"


def check_registers(
    seen: Seen,
    meters: pd.DataFrame,
    reads: pd.DataFrame,
    limits: ReadingLimits,
    earlier: Mapping[Month, IntArray],
) -> list[Odd]:
    """Every rule that needs more than one day of one meter: R01-R11, R16 and reverse registers.

    earlier: by month, (meters,) Wh by readings of the months that R01-R04 compare with.
    """
    month = seen.month
    known = _reads(reads, meters, month, limits)
    mine = [read for read in known if read.first < month.after and read.after > month.first]
    return [
        *_of_one_read(mine, limits),
        *_rates(mine, limits),
        *_balances(seen, mine, limits),
        *_history(seen, known, limits, earlier),
        *_sub_meters(seen, meters, limits),
    ]


def _reads(reads: pd.DataFrame, meters: pd.DataFrame, month: Month, limits: ReadingLimits) -> list[Read]:
    oldest = date(month.year - 1, month.number, 1)
    wanted = np.array(
        [
            first < month.after and after > oldest
            for first, after in zip(reads["valid_from"], reads["valid_to"], strict=True)
        ],
        dtype=np.bool_,
    )
    reads = reads[wanted]
    if reads.empty:
        return []
    of_meter: dict[str, list[tuple[date, date | None, Decimal, int]]] = defaultdict(list)
    for row in meters.itertuples():
        of_meter[row.meter_id].append((row.valid_from, row.valid_to, row.multiplier, row.direction))
    start, end = (_micro_kwh(reads[name]) for name in ("start_kwh", "end_kwh"))
    moved = registers.advance(start, end, np.array(reads["digits"], np.int64), limits.rollover_share)
    rows = []
    holding = [
        [
            one
            for one in sorted(of_meter[row.meter_id])
            if one[0] < row.valid_to and (one[1] is None or one[1] > row.valid_from)
        ]
        for row in reads.itertuples()
    ]
    energy = wh_of_counted(moved.counted, [held[0][2] if held else Decimal(1) for held in holding])
    for place, (row, held) in enumerate(zip(reads.itertuples(), holding, strict=True)):
        if not held:
            continue  # nobody's meter then: what it says is compared with nothing
        counted = int(moved.counted[place])
        rows.append(
            Read(
                row.meter_id,
                row.flow,
                row.rate,
                row.valid_from,
                row.valid_to,
                row.start_kwh,
                row.end_kwh,
                row.digits,
                held[0][2],
                row.multiplier,
                split=len({one[2] for one in held}) == 1,
                own_flow=row.flow == FLOW_OF_DIRECTION[held[0][3]],
                counted=counted,
                wh=int(energy[place]),
                rolled_over=bool(moved.rolled_over[place]),
                backwards=bool(moved.backwards[place]),
            )
        )
    return rows


def _micro_kwh(column: pd.Series) -> IntArray:
    return np.array([scaled(value, 6) for value in column], np.int64)


def wh_of_counted(counted: IntArray, multiplier: Sequence[Decimal]) -> IntArray:
    """(reads,) Wh of what counters counted (1e-6 kWh), each by its multiplier; MISSING stays."""
    factor = np.array([scaled(one, 3) for one in multiplier], np.int64)
    energy = np.full(len(factor), MISSING, np.int64)
    for one in np.unique(
        factor
    ):  # each with its own bound: the largest count is not that of the largest multiplier
        rows = np.flatnonzero(factor == one)
        energy[rows] = wh_of_reading(counted[rows, None], factor[rows])[:, 0]
    return energy


def _of_one_read(mine: Sequence[Read], limits: ReadingLimits) -> Iterator[Odd]:
    for read in mine:
        said = {
            "days": read.span,
            "flow": read.flow,
            "rate": read.rate,
            "start_kwh": str(read.start),
            "end_kwh": str(read.end),
            "digits": read.digits,
        }
        if read.backwards:
            yield Odd("register_backwards", read.meter_id, said)  # R05
        if read.rolled_over:
            yield Odd("register_rolled_over", read.meter_id, said)  # R06
        if read.sent_multiplier is not None and read.sent_multiplier != read.multiplier:  # R07
            sent = {"sent": str(read.sent_multiplier), "record": str(read.multiplier)}
            yield Odd("multiplier_differs", read.meter_id, said | sent)
        if not read.split:  # R08
            yield Odd("multiplier_not_split", read.meter_id, said)
        turned = registers.reverse(np.array([read.counted]), micro(limits.reverse_tolerance_kwh))
        if read.rate == "total" and not read.own_flow and turned[0]:
            yield Odd("reverse_energy", read.meter_id, said | {"counted_kwh": _kwh(read.counted)})


def _rates(mine: Sequence[Read], limits: ReadingLimits) -> Iterator[Odd]:
    """R09: the rates of a read against its total."""
    groups: dict[tuple[str, str, date, date], dict[str, int]] = defaultdict(dict)
    for read in mine:
        groups[read.meter_id, read.flow, read.first, read.after][read.rate] = read.counted
    for (meter_id, flow, first, after), counted in groups.items():
        parts = [value for rate, value in counted.items() if rate != "total"]
        if "total" not in counted or not parts:
            continue
        together = MISSING if MISSING in parts else sum(parts)
        whole, rates = np.array([counted["total"]]), np.array([together])
        if registers.rates_do_not_add(whole, rates, micro(limits.rates_tolerance_kwh))[0]:
            yield Odd(
                "rates_do_not_add",
                meter_id,
                {
                    "days": f"{first} to {after}",
                    "flow": flow,
                    "total_kwh": _kwh(counted["total"]),
                    "rates_kwh": _kwh(together),
                },
            )


def _balances(seen: Seen, mine: Sequence[Read], limits: ReadingLimits) -> Iterator[Odd]:
    """R10 for a read over one day, R11 for one over more; days outside the month, or with gaps, are not judged."""
    place = {str(meter): row for row, meter in enumerate(seen.meter_ids)}
    for read in mine:
        inside = read.first >= seen.month.first and read.after <= seen.month.after
        if read.rate != "total" or not read.own_flow or not inside or not read.split:
            continue
        if read.meter_id not in place:
            continue
        first, after = ((day - seen.month.first).days for day in (read.first, read.after))
        totals = seen.totals[place[read.meter_id], first:after]
        summed = MISSING if (totals == MISSING).any() else int(totals.sum())
        one_day = after - first == 1
        share = limits.day_balance_share if one_day else limits.month_balance_share
        if registers.out_of_balance(np.array([summed]), np.array([read.wh]), share, FLOOR_WH)[0]:
            yield Odd(
                "day_out_of_balance" if one_day else "month_out_of_balance",
                read.meter_id,
                {"days": read.span, "intervals_kwh": _wh_kwh(summed), "register_kwh": _wh_kwh(read.wh)},
            )


def _history(
    seen: Seen, known: Sequence[Read], limits: ReadingLimits, earlier: Mapping[Month, IntArray]
) -> Iterator[Odd]:
    """R01-R04: the month against months before, by their registers, else by their readings."""
    by_month = _by_month(known)
    month = seen.month
    *before, _ = compared_months(month, limits.zero_months)

    def of(when: Month) -> IntArray:
        read = np.array([by_month.get((str(meter), when), MISSING) for meter in seen.meter_ids], np.int64)
        return np.where(read == MISSING, earlier.get(when, MISSING), read)

    whole = (seen.totals != MISSING).all(axis=1)
    now = np.where(whole, np.where(whole[:, None], seen.totals, 0).sum(axis=1), of(month))
    past = np.stack([of(when) for when in before], axis=1)
    year_before = of(Month(month.year - 1, month.number))
    mean = past[:, :MONTHS_BEFORE]
    zeros = np.concatenate([now[:, None], past[:, : limits.zero_months - 1]], axis=1)
    floor = micro(limits.rise_floor_mwh)
    for code, odd in (
        ("zero_energy", months.zero(zeros)),  # R01
        ("energy_rise", months.rise(now, mean, limits.rise_share, floor)),  # R02
        ("energy_fall", months.fall(now, mean, limits.fall_share)),  # R03
        ("year_on_year", months.year_on_year(now, year_before, limits.year_on_year_share)),  # R04
    ):
        for row in np.flatnonzero(odd).tolist():
            earlier = {str(when): _wh_kwh(int(value)) for when, value in zip(before, past[row], strict=True)}
            earlier[str(Month(month.year - 1, month.number))] = _wh_kwh(int(year_before[row]))
            said = {name: value for name, value in earlier.items() if value is not None}
            yield Odd(
                code, str(seen.meter_ids[row]), {"month_kwh": _wh_kwh(int(now[row])), "before_kwh": said}
            )


def _by_month(known: Sequence[Read]) -> dict[tuple[str, Month], int]:
    """Wh by meter and month, of months that reads cover day by day."""
    covered: dict[tuple[str, Month], list[Read]] = defaultdict(list)
    for read in known:
        month = Month.of(read.first)
        if read.rate == "total" and read.own_flow and read.after <= month.after:
            covered[read.meter_id, month].append(read)
    return {
        key: sum(read.wh for read in reads)
        for key, reads in covered.items()
        if sum((read.after - read.first).days for read in reads) == (key[1].after - key[1].first).days
        and all(read.wh != MISSING and read.split for read in reads)
    }


def _sub_meters(seen: Seen, meters: pd.DataFrame, limits: ReadingLimits) -> Iterator[Odd]:
    """R16: the meters behind a main meter against it, over the month."""
    behind: dict[str, set[str]] = defaultdict(set)
    for sub, main in zip(meters["meter_id"], meters["main_meter_id"], strict=True):
        if main:
            behind[main].add(sub)
    place = {str(meter): row for row, meter in enumerate(seen.meter_ids)}
    for main, subs in sorted(behind.items()):
        if main not in place or not subs <= place.keys():
            continue
        totals = [seen.totals[place[meter]] for meter in (main, *sorted(subs))]
        whole, *parts = (MISSING if (days == MISSING).any() else int(days.sum()) for days in totals)
        together = MISSING if MISSING in parts else sum(parts)
        if sub_meters_exceed(np.array([whole]), np.array([together]), limits.sub_meters_share)[0]:
            yield Odd(
                "sub_meters_exceed",
                main,
                {"main_kwh": _wh_kwh(whole), "subs_kwh": _wh_kwh(together), "subs": sorted(subs)},
            )


def _kwh(micro_kwh: int) -> str | None:
    return None if micro_kwh == MISSING else str(Decimal(micro_kwh).scaleb(-6))


def _wh_kwh(wh: int) -> str | None:
    return None if wh == MISSING else str(Decimal(wh).scaleb(-3))
