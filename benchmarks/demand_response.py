"""How long the events of a large province take: who pays, and what each would have drawn.

Run from the project root: ``python -m benchmarks.demand_response [payers] [participants] [events]``. Bounds on one
core: 100,000 payers x 20 events allocate in 10 s, baselines of 10,000 participants x 20 events in 20 s. The market is
random with a fixed seed. Allocation is timed where benefit covers the cost (one tranche) and where it does not (two);
sharing an event adds prices, benefits and drivers. Baselines cycle through the five averages and three adjustments, a
hundredth of the days is low in use and a hundredth has a gap; ``match_3`` and ``regression`` are timed apart, and
``alone`` is the same work by ``baseline``, one participant at a time.
"""

from __future__ import annotations

import datetime as dt
import os
import platform
import resource
import sys
from collections.abc import Callable
from itertools import cycle
from time import perf_counter, process_time

import numpy as np
import pandas as pd

from demand_response.allocation import allocate
from demand_response.baseline import X_OF_Y, baseline
from demand_response.batch import baselines
from demand_response.events import Event
from demand_response.sharing import EventCase, EventMarket, Policy, event_response, share
from market.calendars import ChinaCalendar
from market.money import apportion

ALLOCATE_SECONDS, BASELINE_SECONDS = 10.0, 20.0
FIRST_DAY = dt.date(2022, 5, 16)
HISTORY_DAYS = 65
WINDOW, BEFORE = (69, 80), (53, 64)
PAID_PER_KW = 600  # fen


def drivers(payers: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    use = rng.lognormal(13, 1.4, payers).astype(np.int64)
    return pd.DataFrame(
        {
            "participant_id": [f"U{number:06d}" for number in range(payers)],
            "benefit_fen": (use * rng.uniform(-0.002, 0.02, payers)).astype(np.int64).clip(0),
            "consumption_wh": use,
            "nonmarket_generation_wh": np.zeros(payers, np.int64),
        }
    )


def timed(title: str, repetitions: int, work: Callable[[int], object]) -> float:
    start, cpu = perf_counter(), process_time()
    for number in range(repetitions):
        work(number)
    wall, used = perf_counter() - start, process_time() - cpu
    print(f"{title:58} {wall:8.2f} s wall {used:8.2f} s cpu {wall / max(repetitions, 1) * 1000:9.1f} ms each")
    return wall


def allocation(payers: int, events: int) -> bool:
    tables = [drivers(payers, seed) for seed in range(events)]
    benefits = [int(table["benefit_fen"].sum()) for table in tables]
    print(f"\n{payers:,} payers x {events} events")
    apportion(1, [1], ["warm"])
    one = timed(
        "benefit covers the cost: one tranche", events, lambda n: allocate(benefits[n] // 2, tables[n])
    )
    two = timed("benefit falls short: two tranches", events, lambda n: allocate(benefits[n] * 3, tables[n]))
    cases = [case(payers, number) for number in range(min(events, 3))]
    timed("prices, benefits, drivers and charges (share)", len(cases), lambda n: share(cases[n]))
    return max(one, two) < ALLOCATE_SECONDS


def case(payers: int, seed: int) -> EventCase:
    rng = np.random.default_rng(seed)
    event = Event(
        event_id=f"E{seed}",
        program_id="P",
        date=FIRST_DAY + dt.timedelta(days=60),
        first_period=WINDOW[0],
        last_period=WINDOW[1],
    )
    use = rng.integers(0, 40_000, (payers, 96))
    market = EventMarket(
        payers=tuple(f"U{number:06d}" for number in range(payers)),
        use_wh=use,
        day_ahead_wh=use * 9 // 10,
        contract_wh=use * 8 // 10,
        load_wh=np.sort(rng.integers(5 * 10**9, 9 * 10**9, 96)),
        price_day_ahead=np.sort(rng.integers(200_000, 900_000, 96)),
        price_real_time=np.sort(rng.integers(200_000, 900_000, 96)),
        nonmarket_wh=np.zeros(payers, np.int64),
    )
    response = event_response(event, [(250_000_000,) * (WINDOW[1] - WINDOW[0] + 1)])
    return EventCase(event, 1_000_000 * PAID_PER_KW, response, market, Policy(), known_to_day_ahead=True)


def loads(participants: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    shape = 1 + 0.3 * np.sin(np.linspace(0, 2 * np.pi, 96))
    kw = (
        rng.lognormal(7, 1, (participants, 1, 1))
        * shape
        * rng.normal(1, 0.03, (participants, HISTORY_DAYS, 96))
    )
    kw[rng.random((participants, HISTORY_DAYS)) < 0.01] *= 0.1
    kw[rng.random((participants, HISTORY_DAYS)) < 0.01, 70] = np.nan
    return kw


def baseline_seconds(participants: int, events: int) -> bool:
    kw = loads(participants)
    dates = [FIRST_DAY + dt.timedelta(days=number) for number in range(HISTORY_DAYS)]
    calendar, barred = ChinaCalendar(), np.zeros((participants, HISTORY_DAYS), np.bool_)
    barred[::7, 50] = True
    days = dates[-events:] if events <= 25 else dates[-25:] * (events // 25 + 1)
    variants = cycle(
        (method, adjustment) for method in X_OF_Y for adjustment in ("none", "additive", "multiplicative")
    )

    def make(method: str, adjustment: str, number: int) -> object:
        place = dates.index(days[number])
        return baselines(
            kw,
            dates,
            days[number],
            kw[:, place],
            *WINDOW,
            method,
            calendar=calendar,
            barred=barred,
            adjustment=adjustment,
            adjustment_window=BEFORE if adjustment != "none" else None,
        )

    print(f"\n{participants:,} participants x {events} events, {kw.nbytes / 2**20:,.0f} MB of loads")
    together = timed("averages, all adjustments in turn", events, lambda n: make(*next(variants), n))
    timed("match_3, one event", 1, lambda n: make("match_3", "additive", n))
    timed("regression, one event", 1, lambda n: make("regression", "none", n))
    sample = min(participants, 300)

    def alone(row: int) -> object:
        history = pd.DataFrame(kw[row], index=dates)
        return baseline(
            history, days[-1], np.nan_to_num(kw[row, -1], nan=1.0), *WINDOW, "mean_5", calendar=calendar
        )

    timed(f"alone, {sample} participants, one event", sample, alone)
    return together < BASELINE_SECONDS


def main() -> None:
    sizes = [int(text) for text in sys.argv[1:4]]
    payers, participants, events = sizes + [100_000, 10_000, 20][len(sizes) :]
    print(
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores (one used), Python "
        f"{platform.python_version()}, numpy {np.__version__}, pandas {pd.__version__}"
    )
    within = [allocation(payers, events), baseline_seconds(participants, events)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"\nbounds {ALLOCATE_SECONDS:g} s and {BASELINE_SECONDS:g} s: {'kept' if all(within) else 'PASSED'}; peak {peak:,.0f} MB"
    )
    sys.exit(0 if all(within) else 1)


if __name__ == "__main__":
    main()
