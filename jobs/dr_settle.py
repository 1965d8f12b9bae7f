"""One event from the warehouse: baseline, response, payment, allocation, as a provisional report (A3; users A3, 19).

A report is a folder ``reports/events/<event>/provisional-v<n>``, written whole. The same readings, records and rules
give the report that is there; others make the next version beside it.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from demand_response.lifecycle import State, Step, advance
from jobs.dr_day import EventDays
from jobs.dr_lab import Lab
from jobs.dr_report import lab_view, laboratory, parties, sources
from jobs.dr_state import event_folder, state
from jobs.dr_views import event_view
from jobs.whole_files import write_whole
from market.money import yuan
from market.profiles import profile
from reports import labels
from reports.allocation_numbers import EventView
from reports.allocation_page import AllocationPage, Fact, allocation_page
from reports.allocation_words import AllocationLabels
from warehouse.deliveries import newest_recorded_at
from warehouse.home import Home

REPORT, FACTS = "provisional-v", "event.json"
RESPONSE_COLUMNS = (
    *("event_id", "participant_id", "method", "adjustment", "committed_kw", "responded_kw", "rate"),
    *("effective_minutes", "confirmed_kw", "payment_cny", "penalty_cny", "code", "missing_reason"),
)
ALLOCATION_COLUMNS = ("event_id", "participant_id", "tranche", "driver", "benefit_cny", "charge_cny")


@dataclass(frozen=True)
class EventReport:
    """A provisional report. ``facts`` is event.json; ``written`` is False where it stood there already."""

    event_id: str
    version: int
    folder: Path
    page: Path
    facts: Mapping[str, Any]
    written: bool

    def summary(self, lang: str = "zh") -> list[str]:
        """A few lines for the terminal."""
        facts, words = self.facts, AllocationLabels(lang)
        charged = ", ".join(
            f"{words.of(labels.TRANCHES, name)} {amount}" for name, amount in facts["charged_cny"].items()
        )
        net = facts["net_benefit"]
        verdict = (
            "–" if net is None else f"{words('passes' if net['passes'] else 'fails')} {net['benefit_cny']}"
        )
        return [
            f"{self.event_id}  {facts['date']} {facts['window']}",
            f"{words('responders')} {facts['valid']} / {facts['called']}, {words('confirmed')} {facts['confirmed_kw']}, "
            f"{words('reduction_mwh')} {facts['reduction_mwh']}",
            f"{words('payment')} {facts['payment_cny']}, {words('penalty')} {facts['penalty_cny']}, "
            f"{words('net_cost')} {facts['cost_cny']}",
            charged or words("missing_event"),
            f"{words('benefit_province')} {verdict}",
            f"{REPORT}{self.version}  {self.page}",
        ]


def settle_event_report(
    home: Home,
    event_id: str,
    *,
    profile_name: str = "SD_2022",
    as_of: datetime | None = None,
    lang: str = "zh",
) -> EventReport:
    """Settle one event on what is known at ``as_of`` and write its provisional report.

    Raises EventUnknownError, StepRefusedError before the readings are there or after the month is final.
    """
    moment = as_of or newest_recorded_at(home)
    days = EventDays.of_event(home, event_id, profile(profile_name), moment)
    (event,) = days.events.events
    standing = state(home, days.events, event, moment)
    advance(event_id, standing, Step.SETTLE)
    identity = _identity(days)
    there = _there(home, event_id, identity)
    if there is not None:
        return there
    lab = laboratory(home, days, before=event.date)
    view = event_view(days, days.settle(event), lab)
    earlier = report_versions(home, event_id)
    version = max(earlier, default=0) + 1
    facts = _facts(days, view, standing, identity, version)
    folder = event_folder(home, event_id)
    making = folder / f".making-{version}"
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    _write_tables(making, view)
    write_whole(making / f"event_{event_id}.html", _page(home, days, view, lab, facts, lang).encode("utf-8"))
    write_whole(making / FACTS, (json.dumps(facts, ensure_ascii=False, indent=1) + "\n").encode("utf-8"))
    making.replace(folder / f"{REPORT}{version}")
    return read_report(folder / f"{REPORT}{version}", written=True)


def _identity(days: EventDays) -> str:
    """What makes a report the same report: the hashes of its inputs and its rules."""
    grain = [days.profile.sha256, *sorted(entry.delivery_id for entry in days.inputs())]
    return hashlib.sha256("\n".join(grain).encode()).hexdigest()


def _there(home: Home, event_id: str, identity: str) -> EventReport | None:
    for version in sorted(report_versions(home, event_id), reverse=True):
        report = read_report(event_folder(home, event_id) / f"{REPORT}{version}", written=False)
        if report.facts["identity"] == identity:
            return report
    return None


def report_versions(home: Home, event_id: str) -> list[int]:
    """Versions of an event's provisional report that are there."""
    found = (
        re.fullmatch(rf"{REPORT}(\d+)", path.name) for path in event_folder(home, event_id).glob(f"{REPORT}*")
    )
    return [int(match[1]) for match in found if match]


def read_report(folder: Path, *, written: bool) -> EventReport:
    """The report in a folder."""
    facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    page = folder / f"event_{facts['event_id']}.html"
    return EventReport(facts["event_id"], facts["version"], folder, page, facts, written)


def _facts(days: EventDays, view: EventView, standing: State, identity: str, version: int) -> dict[str, Any]:
    net = view.net
    return {
        "event_id": view.event.event_id,
        "version": version,
        "identity": identity,
        "date": view.event.date.isoformat(),
        "window": view.clock,
        "program": view.program.program_id,
        "state_before": standing.value,
        "as_of": None if days.as_of is None else days.as_of.isoformat(),
        "profile": days.profile.name,
        "profile_sha256": days.profile.sha256,
        "called": len(view.outcomes),
        "valid": view.valid,
        "committed_kw": str(view.committed_mw * 1000),
        "confirmed_kw": _plain(view.confirmed_mw * 1000, 3),
        "reduction_mwh": _plain(view.reduction_mwh, 6),
        "payment_cny": _text(view.payment),
        "penalty_cny": _text(view.penalty),
        "cost_cny": _text(view.cost),
        "benefit_cny": None if view.shared is None else str(yuan(view.shared.benefit_fen)),
        "charged_cny": _tranches(view),
        "net_benefit": None
        if net is None
        else {"passes": net.passes, "benefit_cny": _plain(net.benefit, 2), "cost_cny": _plain(net.cost, 2)},
        "model": None if view.shared is None else view.shared.model,
        "findings": [
            {
                "code": one.code,
                "severity": str(one.severity),
                "subject": one.subject,
                "sentence": one.sentence,
            }
            for one in days.findings
        ],
        "inputs": [{"file": name, "sha256": sha, "rows": rows} for name, sha, rows in sources(days)],
    }


def _tranches(view: EventView) -> dict[str, str]:
    if view.shared is None:
        return {}
    names = dict.fromkeys(view.shared.charges["tranche"])
    return {str(name): str(view.tranche(str(name))) for name in names}


def _write_tables(folder: Path, view: EventView) -> None:
    event_id = view.event.event_id
    awards = {one.participant_id: one for one in view.commitments}
    rows: list[Sequence[object]] = []
    for one in view.outcomes:
        award, response = awards[one.participant_id], one.response
        measured: Sequence[object] = ("", "", "", "")
        if response is not None:
            measured = (
                *(_plain(response.responded_kw, 3), _plain(response.rate, 6)),
                *(response.effective_minutes, _plain(response.confirmed_kw, 3)),
            )
        rows.append(
            (
                *(event_id, one.participant_id, award.method, award.adjustment, one.committed_kw, *measured),
                *(money_text(one.payment_fen), money_text(one.penalty_fen), one.code, one.missing_reason),
            )
        )
    write_csv(folder / f"response_{event_id}.csv", RESPONSE_COLUMNS, rows)
    shared = view.shared
    if shared is None:
        return
    benefit = dict(zip(shared.drivers["participant_id"], shared.drivers["benefit_fen"], strict=True))
    write_csv(
        folder / f"allocation_{event_id}.csv",
        ALLOCATION_COLUMNS,
        [
            (
                event_id,
                row.participant_id,
                row.tranche,
                row.driver,
                money_text(int(benefit[row.participant_id])),
                money_text(row.charge_fen),
            )
            for row in shared.charges.itertuples()
        ],
    )
    if view.audit is not None:
        charges = view.audit.charges
        write_csv(
            folder / f"rules_{event_id}.csv",
            ("participant_id", *charges.columns),
            [(who, *(money_text(int(fen)) for fen in charges.loc[who])) for who in charges.index],
        )


def _page(
    home: Home, days: EventDays, view: EventView, lab: Lab | None, facts: Mapping[str, Any], lang: str
) -> str:
    words = AllocationLabels(lang)
    announced = view.event.announced_at
    head = [
        Fact(words("event"), f"{view.event.event_id} · {view.event.date} {view.clock}"),
        Fact(words("state"), f"provisional v{facts['version']}"),
        Fact(words("as_of"), facts["as_of"] or ""),
        Fact(words("profile"), f"{facts['profile']} {facts['profile_sha256'][:16]}", is_code=True),
        Fact(words("fingerprint"), facts["identity"], is_code=True),
    ]
    if announced is not None:
        head.insert(1, Fact(words("announced"), announced.isoformat(" ", "minutes")))
    page = AllocationPage(
        title=f"{view.event.event_id} {words('event_report')}",
        head=head,
        month=days.month,
        profile=days.profile,
        parties=parties(home, days.month, days.as_of),
        events=[view],
        lab=lab_view(lab),
        sources=sources(days),
        provisional=True,
    )
    return allocation_page(page, words)


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A CSV file that spreadsheets open as UTF-8, whole or not at all."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_whole(path, text.getvalue().encode("utf-8-sig"))


def money_text(fen: int | None) -> str:
    """Fen as yuan for a CSV cell, empty where missing."""
    return "" if fen is None else str(yuan(int(fen)))


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)


def _plain(value: float, decimals: int) -> str:
    return f"{value:.{decimals}f}"
