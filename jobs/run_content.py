"""What the reports of a run print: its tables, the records of its month as it knew them, its curves, its life."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import numpy as np
import pyarrow.parquet as pq

from jobs.accepted import accepted_of_run
from jobs.basis import InputNotAtHandError
from jobs.bridge import Bridge, NotBridgedError, bridge
from jobs.charge_cards import cards
from jobs.close_feeds import late_feeds
from jobs.meter_days import MeterDays
from jobs.month_inputs import MonthInputs
from jobs.progress import Progress, silent
from jobs.roster import Roster, valid_in
from market.curves import MISSING, filled, is_missing
from market.money import IntArray, scaled, yuan
from market.periods import PERIODS, Month
from market.profiles import profile
from market.tables import ParticipantKind
from reports.close_plan import LateFeed
from reports.content import Adjustment, Closed, EventWindow, Party, RunContent, RunHead, VersionBridge
from reports.metered import Curve, Metered
from reports.month_page import Province
from settlement.adjustments import REFUSED
from settlement.bridge import BridgeRow
from settlement.run_life import MANUAL_ADJUSTMENT, Deed, Standing, State
from warehouse import runs
from warehouse.curves import curve_inputs
from warehouse.home import Home
from warehouse.records import read_records
from warehouse.rule_files import RulesNotAtHandError
from warehouse.run_log import finding_rows, life_anchor, run_standing

TABLES = ("lines", "daily", "postings", "accounts", "response", "allocation", "findings")
NO_IMPORT = np.zeros(PERIODS, np.int64)
RECORDS = ("participants", "meters", "contracts", "dr_events", "manual_adjustments")


class RunReader:
    """The run, the records of its month as it knew them, and its curves."""

    def __init__(self, home: Home, run: runs.Run) -> None:
        self._home, self._run, self._manifest = home, run, run.manifest
        self._month = Month.parse(run.month)
        as_of = self._manifest["as_of"]
        self._as_of = None if as_of is None else datetime.fromisoformat(as_of)
        self._profile = profile(self._manifest["profile"]).reaching_back_to(self._month.first)
        self._records = {name: read_records(home, name, as_of=self._as_of) for name in RECORDS}
        self._roster = Roster(
            self._month, *(self._records[name] for name in ("participants", "meters", "contracts"))
        )

    def content(self, progress: Progress = silent) -> RunContent:
        """The run's tables with names and events, what changed against the version before, and what was done since."""
        run = self._run
        previous = self._previous()
        now = run_standing(self._home, run)
        found, why_not = (None, "") if previous is None else self._bridge(previous, progress)
        return RunContent.of(
            _head(self._home, run, now, previous),
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
            bridge=found,
            unbridged=why_not,
            adjustments=self._adjustments(now),
            cards=cards(),
            closed={
                who: Closed(str(done.deed), done.person, done.reason) for who, done in now.closed.items()
            },
        )

    def curves(self, wanted: Sequence[str]) -> tuple[dict[str, Metered], Province | None]:
        """Metered energy of the wanted participants and of the province; nothing where no readings are held."""
        month, roster, days = self._month, self._roster, tuple(self._month.days())
        if not curve_inputs(self._home, "meter_readings", month.first, month.after, self._as_of):
            return {}, None
        rules, _ = self._profile.settled
        place = {who: row for row, who in enumerate((*roster.users, *roster.generators))}
        settling = [who for who in wanted if who in place]
        rows = [place[who] for who in settling]
        taken, use, price, source = [], [], [], []
        imports = _imports(self._run)
        accepted = accepted_of_run(self._run.folder)
        for day in MonthInputs(self._home, month, roster, rules, {}, self._as_of, accepted=accepted).days():
            taken.append(np.concatenate([day.use, day.generation])[rows])
            use.append(_sum(np.concatenate([day.use, day.residents[None, :]])))
            price.append(day.prices.user_real_time)
            source.append(_sum(np.concatenate([day.generation, imports.get(day.day, NO_IMPORT)[None, :]])))
        by_row = np.stack(taken, axis=1)
        meters = MeterDays(self._home, month, roster, self._as_of, set(wanted), accepted)
        curves = {who: Curve(days, by_row[row], meters.estimated[who]) for row, who in enumerate(settling)}
        curves |= {who: Curve(days, energy, meters.estimated[who]) for who, energy in meters.own.items()}
        metered = {who: Metered(curve, meters.meters.get(who, ())) for who, curve in curves.items()}
        return metered, Province(
            days, np.stack(use), np.stack(price), np.stack(source), meters.estimated_share
        )

    def late_feeds(self, content: RunContent) -> list[LateFeed] | None:
        """What came late or lacks something, as the run knew it; None for a month loaded after its bills were due."""
        return late_feeds(self._home, self._month, self._profile, self._as_of, content.findings)

    def _bridge(self, previous: runs.Run, progress: Progress) -> tuple[VersionBridge | None, str]:
        """What changed by cause, or the sentence that says why it cannot be computed."""
        try:
            found = bridge(self._home, previous.run_id, self._run.run_id, progress=progress)
        except (NotBridgedError, InputNotAtHandError, RulesNotAtHandError) as missing:
            return None, str(missing)
        return _for_reports(found), ""

    def _adjustments(self, now: Standing) -> tuple[Adjustment, ...]:
        """人工调整 of the month with where each stands: its finding says whether it was posted and approved."""
        state = {
            row["subject"]: "refused" if row["code"] == REFUSED else _approved(now, row["finding_id"])
            for row in finding_rows(self._run)
            if row["code"] in (MANUAL_ADJUSTMENT, REFUSED)
        }
        rows = valid_in(self._records["manual_adjustments"], self._month)
        names = Adjustment._fields[:-1]
        return tuple(
            Adjustment(*(row[name] for name in names), state=state[row["adjustment_id"]])
            for row in rows.to_dict("records")
            if row["adjustment_id"] in state
        )

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


def _imports(run: runs.Run) -> dict[date, IntArray]:
    """Wh that arrived from other provinces by day and quarter-hour, as the run settled them."""
    file = run.folder / "interprovincial.parquet"
    if not file.is_file():
        return {}
    arrived: dict[date, IntArray] = {}
    for row in pq.read_table(file, columns=["date", "period", "bought_mwh"]).to_pylist():
        day = arrived.setdefault(row["date"], np.zeros(PERIODS, np.int64))
        day[row["period"] - 1] += scaled(row["bought_mwh"], 6)
    return arrived


def _for_reports(found: Bridge) -> VersionBridge:
    rows: dict[str, dict[str, BridgeRow]] = {}
    for row in found.rows:
        rows.setdefault(row.participant_id, {})[row.charge_code] = row
    return VersionBridge(
        rows,
        tuple((step, yuan(charges), yuan(credits_)) for step, charges, credits_ in found.waterfall()),
        {str(one.cause): (one.came, one.gone) for one in found.changes},
    )


def _approved(now: Standing, finding_id: str) -> str:
    return "approved" if finding_id in now.closed else "pending"


def _head(home: Home, run: runs.Run, now: Standing, previous: runs.Run | None) -> RunHead:
    return RunHead(
        run.run_id,
        run.alias,
        run.kind,
        Month.parse(run.month),
        run.version,
        _status(now, run),
        run.fingerprint,
        None if previous is None else previous.alias,
        run.manifest,
        _hands(now),
        life_anchor(home, run),
    )


def _status(now: Standing, run: runs.Run) -> str:
    """草稿 as it was computed until its cities have signed off, then the state of its life."""
    worked = now.state is not State.PREPARED and (now.state is not State.CHECKED or now.signed)
    return str(now.state) if worked else run.status


def _sum(energy: IntArray) -> IntArray:
    """Over rows; MISSING where any row is."""
    return np.where(is_missing(energy).any(axis=0), MISSING, filled(energy).sum(axis=0))
