"""The baseline laboratory on the warehouse's readings: evidence, summary and choice as Parquet and CSV (B3, D)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from demand_response.batch import BoolArray, LoadBook, baselines
from demand_response.events import Event
from demand_response.lab import Placebos, choose, evidence, placebos, summary
from jobs.dr_events import MonthEvents, adjustment_cap, adjustment_window, members_of
from jobs.dr_loads import LOOK_BACK, read_loads
from jobs.roster import valid_in
from market.calendars import ChinaCalendar
from market.periods import PERIODS, Month
from market.profiles import ProvincialRules, on, profile
from reports.allocation_words import ADJUSTMENTS, METHODS, AllocationLabels
from warehouse.home import Home
from warehouse.records import read_records
from warehouse.run_tables import write_table


class NothingToTryError(LookupError):
    """Nobody is enrolled, or there is no event that says which hours to try."""


@dataclass(frozen=True, eq=False)
class Lab:
    """What the laboratory found for the participants enrolled in a month.

    window: periods tried, the span of the month's events unless given. evidence, summary: all placebo days of the
    month and its look-back. choice: by the placebo days before the first event of the month was announced.
    """

    month: Month
    window: tuple[int, int]
    book: LoadBook
    barred: BoolArray
    placebos: Placebos
    evidence: pd.DataFrame
    summary: pd.DataFrame
    by_class: pd.DataFrame
    choice: pd.DataFrame
    known_before: date
    certified_below: float

    def lines(self, lang: str = "zh") -> list[str]:
        """The methods side by side and how many participants each is chosen for, for the terminal."""
        words = AllocationLabels(lang)
        counted = self.choice.groupby(["method", "adjustment"]).size()
        lines = [
            f"{self.month}  {self.window[0]}-{self.window[1]}  {words('placebo_days')} {int(self.evidence['days'].max())}"
        ]
        for row in self.summary.itertuples():
            name = f"{words.of(METHODS, row.method)} / {words.of(ADJUSTMENTS, row.adjustment)}"
            chosen = int(counted.get((row.method, row.adjustment), 0))
            lines.append(
                f"{name}: RRMSE {row.median_rrmse:.2%} … {row.worst_rrmse:.2%}, {words('bias')} {row.mean_nmbe:+.2%}, "
                f"{words('spread')} {row.spread_nmbe:.2%}, {words('certified')} {row.certified}/{row.participants}, "
                f"{words('chosen')} {chosen}"
            )
        return lines

    def as_json(self) -> dict[str, Any]:
        """Summary and choice as plain rows."""
        return {
            "month": str(self.month),
            "periods": list(self.window),
            "known_before": self.known_before.isoformat(),
            "summary": self.summary.to_dict("records"),
            "choice": self.choice.to_dict("records"),
        }

    def certified_baselines(self, event: Event, rules: ProvincialRules) -> dict[str, np.ndarray]:
        """Baseline of the event, kW by quarter-hour, of everyone whose chosen method is certified."""
        chosen = self.choice[self.choice["eligibility"] == "automatic"]
        row_of = {who: row for row, who in enumerate(self.book.participants)}
        found: dict[str, np.ndarray] = {}
        for (method, adjustment), part in chosen.groupby(["method", "adjustment"], sort=True):
            rows = [row_of[who] for who in part["participant_id"]]
            curve = baselines(
                self.book.kw[rows],
                self.book.dates,
                event.date,
                self.book.on(event.date)[rows],
                event.first_period,
                event.last_period,
                str(method),
                calendar=ChinaCalendar(),
                barred=self.barred[rows],
                adjustment=str(adjustment),
                adjustment_window=adjustment_window(event.first_period, rules)
                if adjustment != "none"
                else None,
                adjustment_cap=adjustment_cap(rules),
            ).curve
            found |= {
                who: curve[place]
                for place, who in enumerate(part["participant_id"])
                if not np.isnan(curve[place]).any()
            }
        return found


def try_baselines(
    home: Home,
    month: Month,
    *,
    window: tuple[int, int] | None = None,
    profile_name: str = "SD_2022",
    as_of: datetime | None = None,
    before: date | None = None,
) -> Lab:
    """Try every method on the working days without an event of everyone enrolled in the month.

    window: first and last period; None takes the span of the month's events. before: only placebo days before it.
    Raises NothingToTryError.
    """
    rules, _ = profile(profile_name).settled
    events = MonthEvents.read(home, month, as_of)
    first, last = window or _span(events, month)
    enrolments = valid_in(events.tables["dr_enrolments"], month)
    enrolled = sorted(set(enrolments["participant_id"]))
    if not enrolled:
        raise NothingToTryError(f"Nobody is enrolled in {month}; ingest a dr_enrolments file first.")
    book = read_loads(home, enrolled, month.first - LOOK_BACK, month.after, as_of)
    groups = members_of(enrolments, enrolled)
    book = book.with_sums(groups)
    barred = _event_days(events, book, groups)
    calendar = ChinaCalendar()
    found = placebos(
        book,
        [day for day in book.dates if calendar.is_workday(day) and day < (before or month.after)],
        first,
        last,
        calendar=calendar,
        barred=barred,
        adjustment_window=adjustment_window(first, rules),
        adjustment_cap=adjustment_cap(rules),
    )
    table = evidence(found)
    below = float(on(rules.dr_certified_rrmse_below, month.first, "dr_certified_rrmse_below"))
    known_before = min((_announced(event) for event in events.events), default=month.after)
    return Lab(
        month=month,
        window=(first, last),
        book=book,
        barred=barred,
        placebos=found,
        evidence=table,
        summary=summary(table, found, below=below),
        by_class=summary(table, found, _classes(home, month, as_of), below=below),
        choice=choose(evidence(found.before(known_before)), below=below),
        known_before=known_before,
        certified_below=below,
    )


def window_of(text: str) -> tuple[int, int]:
    """``window_of("69-80") == (69, 80)``; ValueError for anything else."""
    match = re.fullmatch(r"(\d{1,2})-(\d{1,2})", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]) <= PERIODS:
        raise ValueError(
            f"{text!r} names no periods; write first and last within 1 to {PERIODS}, like 69-80."
        )
    return int(match[1]), int(match[2])


def write_lab(home: Home, lab: Lab) -> Path:
    """evidence, summary, by_class and choice under ``reports/baseline_lab/<month>``, each as Parquet and CSV."""
    folder = home.reports / "baseline_lab" / str(lab.month)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("evidence", "summary", "by_class", "choice"):
        frame = getattr(lab, name)
        write_table(pa.Table.from_pandas(frame, preserve_index=False), folder / f"{name}.parquet")
        frame.to_csv(
            folder / f"{name}.csv",
            index=False,
            encoding="utf-8-sig",
            float_format="%.6f",
            lineterminator="\n",
        )
    return folder


def _span(events: MonthEvents, month: Month) -> tuple[int, int]:
    if not events.events:
        raise NothingToTryError(f"There is no event in {month}; say which periods to try, for example 69-80.")
    return min(e.first_period for e in events.events), max(e.last_period for e in events.events)


def _announced(event: Event) -> date:
    return event.date if event.announced_at is None else min(event.announced_at.date(), event.date)


def _event_days(events: MonthEvents, book: LoadBook, groups: Mapping[str, Sequence[str]]) -> BoolArray:
    """True where a participant, its aggregator or one of its members was awarded in an event, whatever the month."""
    row_of = {who: row for row, who in enumerate(book.participants)}
    day_of = {day: place for place, day in enumerate(book.dates)}
    date_of = events.tables["dr_events"].set_index("event_id")["date"]
    barred = np.zeros((len(book.participants), len(book.dates)), np.bool_)
    for award in events.tables["dr_awards"].itertuples():
        day = day_of.get(date_of[award.event_id])
        if award.participant_id in row_of and day is not None:
            barred[row_of[award.participant_id], day] = True
    for group, members in groups.items():
        rows = [row_of[member] for member in members]
        own = barred[row_of[group]].copy()
        barred[row_of[group]] |= barred[rows].any(axis=0)
        barred[rows] |= own
    return barred


def _classes(home: Home, month: Month, as_of: datetime | None) -> dict[str, str]:
    people = valid_in(read_records(home, "participants", as_of=as_of), month)
    return dict(zip(people["participant_id"], people["kind"], strict=True))
