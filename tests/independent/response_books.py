"""Demand response of the month by hand: baseline, response, payment, penalty, and who bears the cost.

Written from demand_response.md (A3, A6, B1, B3, F3) and rulings 23-27, in whole numbers and fractions. Units and signs
as in `recalculate.py`; load is W. It answers what the sample has: cuts on working days by X-of-Y baselines of single
participants, programmes without fund or capacity fee. Anything else raises.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from functools import cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pyarrow.dataset as ds
from month_books import (
    CLOCK,
    QUARTERS,
    Books,
    Curve,
    added,
    as_decimals,
    csv_rows,
    days_of_month,
    half_up,
    in_force,
    keyed,
)
from recalculate import Line, imported, share, to_fen, user_price

NOT_WORKED = {date(2022, 6, 3)}  # Dragon Boat festival; no make-up day falls into the look-back
LOOK_BACK = 45
BEFORE, BUFFER = 12, 4  # quarter-hours of the adjustment window, and between it and the event (B3)
RATIO_CAP = (Fraction("0.8"), Fraction("1.2"))
PRICE_CAP = 1_500_000  # 1,500 yuan/MWh, SD822
# method -> days looked at, days kept of the highest (ruling 23, working days)
LOOK_AND_KEEP = {"mean_5": (5, 5), "high_4_of_5": (5, 4), "mean_10_of_10": (10, 10)}

Row = Mapping[str, str]
Load = dict[tuple[str, date], Curve]  # W by quarter-hour of the day


class Event(NamedTuple):
    name: str
    day: date
    first: int  # 0-based quarter-hours of the day
    after: int
    announced: datetime
    terms: Row

    @property
    def hours(self) -> Fraction:
        return Fraction(self.after - self.first, 4)


class Outcome(NamedTuple):
    payee: str
    confirmed_wh: int
    paid: int
    penalty: int
    reduced: Curve | None  # Wh by quarter-hour of the event where the response is valid


def read_events(folder: Path) -> list[Event]:
    events = []
    for row in sorted(csv_rows(folder, "dr_events"), key=lambda row: (row["date"], row["event_id"])):
        day = date.fromisoformat(row["date"])
        (terms,) = (
            one
            for one in csv_rows(folder, "dr_programs")
            if one["program_id"] == row["program_id"] and in_force(one, day)
        )
        if (row["direction"], terms["test"], terms["kind"]) != ("cut", "average", "emergency"):
            raise ValueError(f"event {row['event_id']} is of a sort that is not written out here")
        at = datetime.fromisoformat(row["announced_at"]).replace(tzinfo=None)
        events.append(
            Event(row["event_id"], day, int(row["first_period"]) - 1, int(row["last_period"]), at, terms)
        )
    return events


def read_loads(folder: Path, wanted: set[str]) -> Load:
    """W of everyone awarded on every day delivered: kWh of the reading x multiplier x 4."""
    meters = {
        name: row
        for name, row in keyed(csv_rows(folder, "meters"), "meter_id").items()
        if row["participant_id"] in wanted
    }
    loads: Load = {}
    for path in sorted(folder.glob("meter_readings*.parquet")):
        table = ds.dataset(path).to_table(filter=ds.field("meter_id").isin(list(meters)))
        keys = zip(table["meter_id"].to_pylist(), table["date"].to_pylist(), strict=True)
        curves = zip(*(as_decimals(table[clock]) for clock in CLOCK), strict=True)
        for (meter_id, day), values in zip(keys, curves, strict=True):
            meter = meters[meter_id]
            if not in_force(meter, day):
                continue
            factor = 1000 * int(meter["direction"]) * Fraction(meter["multiplier"])
            watts = [4 * half_up(Fraction(value) * factor) for value in values]
            who = meter["participant_id"], day
            loads[who] = added([loads[who], watts], QUARTERS) if who in loads else watts
    return loads


def days_for(who: str, event: Event, loads: Load, barred: set[date], look: int) -> list[date]:
    """The latest `look` working days that nobody called; a day below a quarter of their mean is replaced (ruling 23)."""
    back = (event.day - timedelta(days=n) for n in range(1, LOOK_BACK + 1))
    pool = (d for d in back if d.weekday() < 5 and d not in NOT_WORKED | barred and (who, d) in loads)
    chosen = list(islice(pool, look))
    while True:
        energy = {day: sum(loads[who, day][event.first : event.after]) for day in chosen}
        low = [day for day in chosen if 4 * energy[day] * len(chosen) < sum(energy.values())]
        if not low:
            break
        chosen = [day for day in chosen if day not in low] + list(islice(pool, len(low)))
    if len(chosen) < look:
        raise ValueError(f"{who} has {len(chosen)} days before {event.name}, {look} are needed")
    return chosen


def baseline(who: str, event: Event, enrolment: Row, loads: Load, barred: set[date]) -> list[int]:
    """Whole W of every quarter-hour of the event (ruling 23; B3)."""
    if event.day.weekday() > 4:
        raise ValueError("only working days are written out here")
    look, keep = LOOK_AND_KEEP[enrolment["baseline_method"]]
    days = days_for(who, event, loads, barred, look)
    ranked = sorted(days, key=lambda d: (-sum(loads[who, d][event.first : event.after]), -d.toordinal()))
    mean = [Fraction(sum(loads[who, d][q] for d in ranked[:keep]), keep) for q in range(QUARTERS)]
    window = slice(event.first - BUFFER - BEFORE, event.first - BUFFER)
    today, usual = (Fraction(sum(load[window]), BEFORE) for load in (loads[who, event.day], mean))
    curve = mean[event.first : event.after]
    if enrolment["adjustment"] == "additive":
        curve = [load + today - usual for load in curve]
    elif enrolment["adjustment"] == "multiplicative":
        ratio = today / usual if usual > 0 else Fraction(1)
        curve = [load * min(max(ratio, RATIO_CAP[0]), RATIO_CAP[1]) for load in curve]
    return [half_up(load) for load in curve]


def longest_run(reached: Iterable[bool]) -> int:
    longest = run = 0
    for hit in reached:
        run = run + 1 if hit else 0
        longest = max(longest, run)
    return longest


def judged(event: Event, award: Row, payee: str, base: Sequence[int], actual: Sequence[int]) -> Outcome:
    """A3 rule 2: peak and mean moved, 80 % or more of the commitment, for an hour or more; paid up to 120 %."""
    terms, committed = event.terms, 1000 * Fraction(award["committed_kw"])
    moved = [b - a for b, a in zip(base, actual, strict=True)]
    mean, least = Fraction(sum(moved), len(moved)), Fraction(terms["floor"]) * committed
    minutes = 15 * longest_run(watts >= least for watts in moved)
    valid = (
        max(actual) < max(base) and mean > 0 and mean >= least and minutes >= int(terms["minimum_minutes"])
    )
    confirmed = min(mean, Fraction(terms["cap"]) * committed) if valid else Fraction(0)
    price = Fraction(award["price_cny"])
    hours = {"per_kwh": event.hours, "per_kw_event": Fraction(1)}[award["price_unit"]]
    penalty = Fraction(0)
    if terms["penalty_share"]:  # (A x R1 - response)+ of every hour x price x M (A6)
        if award["price_unit"] != "per_kwh":
            raise ValueError("a penalty at a price per kW is not written out here")
        for start in range(0, len(moved), 4):
            hour = moved[start : start + 4]
            short = committed * Fraction(terms["penalty_share"]) - Fraction(sum(hour), len(hour))
            penalty += max(short, Fraction(0)) * Fraction(len(hour), 4) / 1000
        penalty *= price * Fraction(terms["penalty_factor"])
    return Outcome(
        payee,
        half_up(confirmed * event.hours),
        half_up(confirmed / 1000 * hours * price * 100),
        half_up(penalty * 100),
        [half_up(Fraction(watts, 4)) for watts in moved] if valid else None,
    )


def outcomes(folder: Path) -> list[tuple[Event, list[Outcome]]]:
    """Every event of the month with what each award came to."""
    events, awards = read_events(folder), csv_rows(folder, "dr_awards")
    loads = read_loads(folder, {row["participant_id"] for row in awards})
    enrolments = csv_rows(folder, "dr_enrolments")
    done = []
    for event in events:
        came_to = []
        for award in (row for row in awards if row["event_id"] == event.name):
            who = award["participant_id"]
            (enrolment,) = (
                row
                for row in enrolments
                if (row["program_id"], row["participant_id"]) == (event.terms["program_id"], who)
                and in_force(row, event.day)
            )
            barred = {
                other.day
                for other in events
                for row in awards
                if other.day < event.day and (row["event_id"], row["participant_id"]) == (other.name, who)
            }
            base = baseline(who, event, enrolment, loads, barred)
            actual = loads[who, event.day][event.first : event.after]
            came_to.append(judged(event, award, enrolment["aggregator_id"] or who, base, actual))
        done.append((event, came_to))
    return done


# --- The price without the event: a convex stack through the day's 96 loads and prices (F3, 1) ---------------------


def solved(matrix: list[list[Fraction]], right: list[Fraction]) -> list[Fraction]:
    """Gauss with exact fractions."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for column in range(len(rows)):
        pivot = next(row for row in range(column, len(rows)) if rows[row][column])
        rows[column], rows[pivot] = rows[pivot], rows[column]
        head = rows[column] = [value / rows[column][column] for value in rows[column]]
        for n, row in enumerate(rows):
            if n != column and row[column]:
                rows[n] = [a - row[column] * b for a, b in zip(row, head, strict=True)]
    return [row[-1] for row in rows]


@cache
def stack(load: tuple[int, ...], price: tuple[int, ...]) -> tuple[list[Fraction], list[Fraction]]:
    """Knots at the tenths of load and slopes >= 0 of level + sum of slope x (load - knot)+, by exact least squares.

    Slopes below zero are not allowed: the set of slopes in use grows by the steepest descent and gives up the first
    that would turn negative (Lawson and Hanson), so that what is left is the one minimum.
    """
    ordered = sorted(load)
    knots = []
    for tenth in range(10):
        below, part = divmod(Fraction((len(load) - 1) * tenth, 10), 1)
        at = int(below)
        knots.append(ordered[at] + part * (ordered[at + 1] - ordered[at]))
    columns = [[Fraction(1)] * len(load)]
    columns += [[max(q - knot, Fraction(0)) / 10**6 for q in load] for knot in knots]
    gram = [[sum(map(Fraction.__mul__, a, b), Fraction(0)) for b in columns] for a in columns]
    target = [sum((x * p for x, p in zip(a, price, strict=True)), Fraction(0)) for a in columns]
    weight = [Fraction(0)] * len(columns)
    used = [0]  # the level may have any sign
    while True:
        best = solved([[gram[a][b] for b in used] for a in used], [target[a] for a in used])
        negative = [(n, value) for n, value in zip(used, best, strict=True) if n and value < 0]
        if negative:
            step = min(weight[n] / (weight[n] - value) for n, value in negative)
            for n, value in zip(used, best, strict=True):
                weight[n] += step * (value - weight[n])
            used = [n for n in used if n == 0 or weight[n] > 0]
            continue
        weight = [Fraction(0)] * len(columns)
        for n, value in zip(used, best, strict=True):
            weight[n] = value
        descent = {
            n: target[n] - sum(gram[n][m] * weight[m] for m in used)
            for n in range(1, len(columns))
            if n not in used
        }
        steepest = max(descent, key=lambda n: descent[n], default=0)
        if not steepest or descent[steepest] <= 0:
            return knots, [value / 10**6 for value in weight[1:]]
        used.append(steepest)


def rise(load: Curve, price: Curve, response: Curve) -> Curve:
    """Price with the response added back less price without, half up, at most up to the clearing cap."""
    knots, slopes = stack(tuple(load), tuple(price))

    def at(q: int) -> Fraction:
        return sum(
            (slope * max(q - knot, Fraction(0)) for knot, slope in zip(knots, slopes, strict=True)),
            Fraction(0),
        )

    return [
        min(half_up(at(q + r) - at(q)), max(PRICE_CAP - p, 0)) if r else 0
        for q, p, r in zip(load, price, response, strict=True)
    ]


# --- Who bears it --------------------------------------------------------------------------------------------------


def benefits(books: Books, event: Event, reduced: Iterable[Curve], results_at: time) -> dict[str, int]:
    """Fen by payer: sum over quarter-hours of max(0, dP_DA (Q_DA - Q_c) + dP_RT (E - Q_DA)) (ruling 25)."""
    start = QUARTERS * days_of_month(event.day.replace(day=1)).index(event.day)
    day = slice(start, start + QUARTERS)
    response = [0] * QUARTERS
    for curve in reduced:
        for n, wh in enumerate(curve):
            response[event.first + n] += wh
    response = [max(wh, 0) for wh in response]
    sources = [*books.generation.values(), *books.stored.values(), imported(books, "day_ahead", "intraday")]
    load = added(sources, books.length)[day]
    real_time = rise(load, user_price(books, "real_time")[day], response)
    cleared = datetime.combine(event.day - timedelta(days=1), results_at)
    day_ahead = [0] * QUARTERS
    if event.announced < cleared:  # only then could its response move that price
        day_ahead = rise(load, user_price(books, "day_ahead")[day], response)
    found = {}
    for who, use in books.use.items():
        bought = [deal.energy[day] for deal in books.contracts if deal.buyer == who]
        covered = added(bought, QUARTERS)
        position = books.bought_day_ahead[who][day] if who in books.bought_day_ahead else covered
        gain = [
            max(0, da * (q - c) + rt * (e - q))
            for da, rt, e, q, c in zip(day_ahead, real_time, use[day], position, covered, strict=True)
        ]
        found[who] = to_fen(sum(gain))
    return found


def energy_in(curve: Curve, event: Event) -> int:
    start = QUARTERS * days_of_month(event.day.replace(day=1)).index(event.day)
    return sum(curve[start + event.first : start + event.after])


def response_lines(
    books: Books,
    came_to: Iterable[tuple[Event, list[Outcome]]],
    results_at: time = time(18, 30),
    outside: Mapping[str, Curve] | None = None,
) -> dict[tuple[str, str], Line]:
    """Payments, penalties and charges of all events; the month's line is the sum of its events' fen (rulings 8, 26).

    outside: non-market generation, which bears the residual with the users (A0, ruling 26).
    """
    fen: dict[tuple[str, str], int] = defaultdict(int)
    wh: dict[tuple[str, str], int] = defaultdict(int)
    for event, answers in came_to:
        for one in answers:
            fen["demand_response_payment", one.payee] -= one.paid
            wh["demand_response_payment", one.payee] += one.confirmed_wh
            if one.penalty:
                fen["demand_response_penalty", one.payee] += one.penalty
                wh["demand_response_penalty", one.payee] += 0
        cost = sum(one.paid - one.penalty for one in answers)
        benefit = benefits(books, event, (one.reduced for one in answers if one.reduced), results_at)
        bearing = {who: energy_in(use, event) for who, use in books.use.items()}
        bearing |= {unit: e for unit, curve in (outside or {}).items() if (e := energy_in(curve, event))}
        by_gain = min(cost, sum(benefit.values()))  # first tranche: nobody beyond its gain (M7)
        parts = [share(by_gain, benefit)] if by_gain else []
        if cost > by_gain:  # the rest: users' and non-market energy of the event (M3, M9)
            parts.append(share(cost - by_gain, bearing))
        for who, energy in bearing.items():
            fen["demand_response_charge", who] += sum(part.get(who, 0) for part in parts)
            wh["demand_response_charge", who] += energy
    return {(who, code): Line(amount, wh[code, who]) for (code, who), amount in fen.items()}
