"""Prints a run: a statement a participant, the month page, the province workbook, all lines as CSV.

A run whose files were changed after it was written is not printed. What is printed depends on the run, on
the records of its participants and on the curves it was settled from; printing again gives the same bytes.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from jobs import access, actor
from jobs.accepted import Accepted, accepted_days, accepted_of_run, measured_wh
from jobs.dr_report import write_allocation_page
from jobs.month_inputs import MonthInputs
from jobs.progress import Progress, silent
from jobs.roster import DayRoster, Roster, valid_in
from market.curves import MISSING, filled, is_missing
from market.money import IntArray
from market.periods import PERIODS, Month
from market.profiles import profile
from market.tables import ParticipantKind
from reports.content import EventWindow, Party, RunContent, RunHead
from reports.labels import Labels
from reports.lines_csv import lines_csv
from reports.month_page import Province, month_page
from reports.statement import Curve, statement
from reports.statement_lines import findings_by_participant
from reports.workbook import province_workbook
from settlement.metering import wh_of_reading
from settlement.run_life import Deed, Standing, State
from warehouse import runs
from warehouse.curves import CurveDay, curve_inputs
from warehouse.home import Home
from warehouse.printed import log_print
from warehouse.records import read_records
from warehouse.run_log import life_anchor, run_standing

TABLES = ("lines", "daily", "postings", "accounts", "response", "allocation", "findings")
SECOND_LAYER = (ParticipantKind.RETAIL_USER, ParticipantKind.AGENCY_USER, ParticipantKind.RESIDENTS)


@dataclass(frozen=True)
class Reports:
    """Where the reports of a run stand.

    What shows the whole province is None for who sees one city; a month without an event has no allocation page.
    """

    folder: Path
    statements: list[Path]
    month_page: Path | None
    workbook: Path | None
    lines: Path | None
    allocation_page: Path | None


def write_reports(
    home: Home,
    run_name: str,
    *,
    participants: Sequence[str] | None = None,
    lang: str = "zh",
    progress: Progress = silent,
) -> Reports:
    """Print a run by id, beginning of an id, or alias; ``participants`` None is everyone with a line.

    Raises NotAllowedError, RunNotFoundError, RunDamagedError for a run that does not have its hashes, ValueError for a
    participant without a line or a language that is not known.
    """
    labels = Labels(lang)
    who_prints = actor.current(home)
    access.require(who_prints, access.Act.PRINT)
    run = runs.find_run(home, run_name)
    problems = runs.verify(run)
    if problems:
        raise runs.RunDamagedError(f"Run {run.alias} is not printed. {' '.join(problems)}")
    known = _Known(home, run)
    content = known.content()
    wanted = sorted(content.lines) if participants is None else list(dict.fromkeys(participants))
    wanted = _own(content, who_prints, wanted, named=participants is not None)
    strangers = [who for who in wanted if who not in content.lines]
    if strangers:
        raise ValueError(
            f"{', '.join(strangers)} has no line in run {run.alias}; lines_{run.month}.csv lists who has."
        )
    curves, province = known.curves(wanted)
    concerned = findings_by_participant(content)
    folder = home.reports / run.run_id
    (folder / "statements").mkdir(parents=True, exist_ok=True)
    written = []
    for who in progress(wanted, "report", total=len(wanted)):
        path = folder / "statements" / f"{run.month}_{_file_name(who)}_{run.kind}-v{run.version}.xlsx"
        _write(path, statement(content, who, curves.get(who), concerned[who], labels))
        written.append(path)
    page, workbook, lines = (
        folder / name
        for name in (f"month_{run.month}.html", f"province_{run.month}.xlsx", f"lines_{run.month}.csv")
    )
    whole: list[Path | None] = [None, None, None, None]
    if access.sees_province(who_prints):
        _write(workbook, province_workbook(content, labels))
        _write(lines, lines_csv(content, labels))
        _write(page, month_page(content, province, labels).encode("utf-8"))
        allocation = write_allocation_page(home, run.run_id, lang=lang) if content.events else None
        whole = [page, workbook, lines, allocation]
    log_print(home, run, who_prints.signature, [*written, *(file for file in whole if file is not None)])
    return Reports(folder, written, *whole)


def _own(content: RunContent, who: actor.Actor, wanted: list[str], *, named: bool) -> list[str]:
    """A checker prints for its own cities and nobody else; asked for another by name it is told so."""
    city = {one: content.lines[one][0].city for one in wanted if one in content.lines}
    hidden = [one for one in city if not access.sees(who, city[one])]
    if hidden and named:
        raise access.NotAllowedError(
            f"{who.name} ({who.account}) may not see {', '.join(hidden)}: they are of {city[hidden[0]]}, and "
            f"users.yaml gives the cities {', '.join(sorted(who.cities))}."
        )
    return [one for one in wanted if one not in hidden]


class _Known:
    """The run, the records of its month as it knew them, and its curves."""

    def __init__(self, home: Home, run: runs.Run) -> None:
        self._home, self._run, self._manifest = home, run, run.manifest
        self._month = Month.parse(run.month)
        as_of = self._manifest["as_of"]
        self._as_of = None if as_of is None else datetime.fromisoformat(as_of)
        self._profile = profile(self._manifest["profile"])
        self._records = {
            name: read_records(home, name, as_of=self._as_of)
            for name in ("participants", "meters", "contracts", "dr_events")
        }
        self._roster = Roster(
            self._month, *(self._records[name] for name in ("participants", "meters", "contracts"))
        )

    def content(self) -> RunContent:
        """The run's tables with names, events and the previous version's lines."""
        run = self._run
        previous = self._previous()
        head = _head(self._home, run, self._manifest, previous)
        return RunContent.of(
            head,
            self._profile,
            {name: pq.read_table(run.folder / f"{name}.parquet") for name in TABLES},
            self._parties(),
            previous_lines=None if previous is None else pq.read_table(previous.folder / "lines.parquet"),
            events=[
                EventWindow(row.event_id, row.date, row.first_period, row.last_period)
                for row in self._records["dr_events"].itertuples()
                if Month.of(row.date) == self._month
            ],
            books=self._books(),
        )

    def curves(self, wanted: Sequence[str]) -> tuple[dict[str, Curve], Province | None]:
        """Metered energy of the wanted participants and of the province; nothing where no readings are held."""
        month, roster, days = self._month, self._roster, tuple(self._month.days())
        if not curve_inputs(self._home, "meter_readings", month.first, month.after, self._as_of):
            return {}, None
        rules, _ = self._profile.settled
        place = {who: row for row, who in enumerate((*roster.users, *roster.generators))}
        settling = [who for who in wanted if who in place]
        rows = [place[who] for who in settling]
        taken, use, price = [], [], []
        accepted = accepted_of_run(self._run.folder)
        for day in MonthInputs(self._home, month, roster, rules, {}, self._as_of, accepted=accepted).days():
            taken.append(np.concatenate([day.use, day.generation])[rows])
            use.append(_sum(np.concatenate([day.use, day.residents[None, :]])))
            price.append(day.prices.user_real_time)
        by_row = np.stack(taken, axis=1)
        meters = MeterDays(self._home, month, roster, self._as_of, set(wanted), accepted)
        curves = {who: Curve(days, by_row[row], meters.estimated[who]) for row, who in enumerate(settling)}
        curves |= {who: Curve(days, energy, meters.estimated[who]) for who, energy in meters.own.items()}
        return curves, Province(days, np.stack(use), np.stack(price))

    def _previous(self) -> runs.Run | None:
        if self._run.previous is None:
            return None
        return next((run for run in runs.list_runs(self._home) if run.run_id == self._run.previous), None)

    def _parties(self) -> dict[str, Party]:
        valid = valid_in(self._records["participants"], self._month).sort_values("valid_from", kind="stable")
        return {
            row.participant_id: Party(row.participant_id, row.name, row.kind, row.city or None)
            for row in valid[["participant_id", "name", "kind", "city"]].itertuples(index=False)
        }

    def _books(self) -> dict[str, str]:
        """In whose book a second-layer participant's energy is settled."""
        valid = valid_in(self._records["participants"], self._month)
        retail = valid[valid["kind"] == ParticipantKind.RETAIL_USER]
        books = {row.participant_id: row.retailer_id for row in retail.itertuples() if row.retailer_id}
        agency = self._roster.agency_users
        return books | (dict.fromkeys(agency, self._roster.grid_company) if agency else {})


STAGES = {
    Deed.PREPARE: "life_prepared",
    Deed.SIGN_OFF: "life_checked",
    Deed.APPROVE: "life_approved",
    Deed.REJECT: "life_rejected",
    Deed.PUBLISH: "life_published",
}


def _hands(now: Standing) -> tuple[tuple[str, str], ...]:
    """编制、审核、审批、发布: who and when, in the order in which it was done."""
    return tuple(
        (STAGES[done.deed], f"{done.person} {done.queue or ''} {done.at[:19]}Z".replace("  ", " "))
        for done in now.deeds
        if done.deed in STAGES
    )


def _head(home: Home, run: runs.Run, manifest: Mapping[str, Any], previous: runs.Run | None) -> RunHead:
    now = run_standing(home, run)
    return RunHead(
        run.run_id,
        run.alias,
        run.kind,
        Month.parse(run.month),
        run.version,
        _status(now, run),
        run.fingerprint,
        None if previous is None else previous.alias,
        manifest,
        _hands(now),
        life_anchor(home, run),
    )


def _status(now: Standing, run: runs.Run) -> str:
    """草稿 as it was computed until its cities have signed off, then the state of its life."""
    worked = now.state is not State.PREPARED and (now.state is not State.CHECKED or now.signed)
    return str(now.state) if worked else run.status


class MeterDays:
    """One pass over the month's meters: own curves of the second layer, and what was not measured.

    own[who]: (days, 96) Wh of retail and agency users and residents among ``wanted``. estimated[who]: day -> Wh
    of readings that were estimated or substituted, in a retailer's or the grid company's book its customers'.
    """

    def __init__(
        self,
        home: Home,
        month: Month,
        roster: Roster,
        as_of: datetime | None,
        wanted: Set[str],
        accepted: Accepted,
    ) -> None:
        days = tuple(month.days())
        second = [row for row, who in enumerate(roster.metered) if roster.kind[who] in SECOND_LAYER]
        shown = [row for row in second if roster.metered[row] in wanted]
        energy = np.full((len(shown), len(days), PERIODS), MISSING, np.int64)
        own_row = np.full(len(roster.metered), -1, np.intp)
        own_row[shown] = np.arange(len(shown))
        settling = np.array([*roster.users, *roster.generators], dtype=object)
        self.estimated: dict[str, dict[date, int]] = defaultdict(dict)
        for curve in accepted_days(home, month, as_of, accepted):
            today = roster.on(curve.date)
            wh, measured = _meter_energy(curve, today)
            row = own_row[today.participant]
            energy[:, days.index(curve.date)] = _added(wh[row >= 0], row[row >= 0], len(shown))
            guessed = np.abs(filled(wh)).sum(axis=1) - measured
            customers = np.zeros(len(roster.metered), np.int64)
            np.add.at(customers, today.participant, guessed)
            book = np.zeros(len(settling) + 1, np.int64)
            inside = (today.holder >= 0) & (today.holder < len(settling))
            np.add.at(book, today.holder[inside], customers[inside])
            self._note(curve.date, settling, book)
            self._note(curve.date, [roster.metered[place] for place in shown], customers[shown])
        self.own = {roster.metered[place]: energy[row] for row, place in enumerate(shown)}

    def _note(self, day: date, who: Sequence[str] | NDArray[Any], wh: IntArray) -> None:
        for place in np.flatnonzero(wh).tolist():
            self.estimated[str(who[place])][day] = int(wh[place])


def _meter_energy(curve: CurveDay, roster: DayRoster) -> tuple[IntArray, IntArray]:
    """(meters, 96) Wh of one day, delivery negative, MISSING where missing; and (meters,) the Wh measured of it."""
    rows = pd.Index(curve.keys["meter_id"].to_pylist()).get_indexer(roster.meter_ids)
    present = rows >= 0
    energy = np.full((len(rows), PERIODS), MISSING, np.int64)
    energy[present] = wh_of_reading(curve.values[rows[present]], roster.multiplier[present])
    energy = np.where(is_missing(energy), MISSING, energy * roster.direction[:, None])
    measured = np.zeros(len(rows), np.int64)
    if curve.quality is not None:
        quality = curve.quality.take(pa.array(rows[present]))
        measured[present] = measured_wh(np.abs(filled(energy[present])), quality)
    return energy, measured


def _added(energy: IntArray, owner: NDArray[np.intp], owners: int) -> IntArray:
    """(owners, 96): the sum of an owner's meters, MISSING where any of them is."""
    total, missing = np.zeros((owners, PERIODS), np.int64), np.zeros((owners, PERIODS), np.bool_)
    np.add.at(total, owner, filled(energy))
    np.logical_or.at(missing, owner, is_missing(energy))
    return np.where(missing, MISSING, total)


def _sum(energy: IntArray) -> IntArray:
    """Over rows; MISSING where any row is."""
    return np.where(is_missing(energy).any(axis=0), MISSING, filled(energy).sum(axis=0))


def _file_name(participant_id: str) -> str:
    """The id where it is a plain file name, else what is plain of it with a hash that keeps two apart."""
    plain = re.sub(r"[^\w-]", "_", participant_id, flags=re.ASCII)
    if plain == participant_id:
        return plain
    return f"{plain[:40]}_{sha256(participant_id.encode()).hexdigest()[:8]}"


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all: a reader never meets half a statement."""
    making = path.with_name(f".{path.name}.making")
    making.write_bytes(content)
    making.replace(path)
