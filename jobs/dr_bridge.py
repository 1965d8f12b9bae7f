"""From an event's provisional report to a run of its month: what changed, by cause, to the fen (users 19)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from demand_response.bridge import ChargeBridge, PaymentBridge, Side, charge_bridge, payment_bridge
from demand_response.sharing import event_window, share
from jobs.dr_case import SettledEvent
from jobs.dr_day import EventDays
from jobs.dr_settle import REPORT, money_text, read_report, report_versions, write_csv
from jobs.dr_state import event_folder
from market.money import yuan
from market.profiles import profile
from warehouse import runs
from warehouse.home import Home

CAUSES = {
    "zh": {
        "payments": "补偿(元)",
        "charges": "分摊(元)",
        "before": "前",
        "baseline": "基线",
        "metered": "计量",
        "terms": "条款",
        "arrived": "补到",
        "cost": "费用",
        "drivers": "受益与电量",
        "after": "后",
        "changed": "变化",
    },
    "en": {
        "payments": "payments (yuan)",
        "charges": "charges (yuan)",
        "before": "before",
        "baseline": "baseline",
        "metered": "metered",
        "terms": "terms",
        "arrived": "arrived",
        "cost": "cost",
        "drivers": "benefit and energy",
        "after": "after",
        "changed": "changed",
    },
}


class NothingToBridgeError(LookupError):
    """The event has no earlier settlement to compare with."""


@dataclass(frozen=True)
class EventBridge:
    """From one settlement of an event to another: payments and charges by cause, each row adding up to the fen."""

    event_id: str
    old: str
    new: str
    payments: tuple[PaymentBridge, ...]
    charges: tuple[ChargeBridge, ...]
    folder: Path

    def as_json(self) -> dict[str, Any]:
        """Sums by cause in yuan, and the rows in fen."""
        return {
            "event_id": self.event_id,
            "old": self.old,
            "new": self.new,
            "payments_cny": {cause: str(yuan(fen)) for cause, fen in self._sums(self.payments).items()},
            "charges_cny": {cause: str(yuan(fen)) for cause, fen in self._sums(self.charges).items()},
            "payments": [vars(row) for row in self.payments],
            "charges": [vars(row) for row in self.charges],
        }

    def summary(self, lang: str = "zh") -> list[str]:
        """A few lines for the terminal."""
        words = CAUSES[lang]
        lines = [f"{self.event_id}  {self.old} -> {self.new}"]
        for title, rows in (("payments", self.payments), ("charges", self.charges)):
            sums = ", ".join(f"{words[cause]} {yuan(fen)}" for cause, fen in self._sums(rows).items())
            changed = sum((row.before_fen or 0) != (row.after_fen or 0) for row in rows)
            lines.append(f"{words[title]}: {sums} ({words['changed']} {changed} / {len(rows)})")
        return [*lines, str(self.folder)]

    @staticmethod
    def _sums(rows: Sequence[PaymentBridge] | Sequence[ChargeBridge]) -> dict[str, int]:
        names = [one.name for one in fields(rows[0]) if one.name.endswith("_fen")] if rows else []
        return {name.removesuffix("_fen"): sum(getattr(row, name) or 0 for row in rows) for name in names}


def bridge_event(home: Home, event_id: str, *, run_name: str | None = None) -> EventBridge:
    """From the newest provisional report of an event to a run of its month (the newest final, else draft), by cause.

    Both sides are settled again from what was known to each. Written as CSV beside the reports.
    Raises NothingToBridgeError without a report or a run, EventUnknownError, RunNotFoundError.
    """
    versions = report_versions(home, event_id)
    if not versions:
        raise NothingToBridgeError(
            f"Event {event_id} has no provisional report; run `gridsettle dr settle {event_id}` first."
        )
    report = read_report(event_folder(home, event_id) / f"{REPORT}{max(versions)}", written=False)
    run = _run(home, event_id, report.facts["date"][:7], run_name)
    manifest = run.manifest
    old = _again(home, event_id, report.facts["profile"], report.facts["as_of"])
    new = _again(home, event_id, manifest["profile"], manifest["as_of"])
    payments = tuple(payment_bridge(_side(old), _side(new)))
    charges: tuple[ChargeBridge, ...] = ()
    if old.case is not None and new.case is not None:
        charges = tuple(charge_bridge(share(old.case), share(new.case), new.case.policy))
    folder = event_folder(home, event_id)
    stem = f"{REPORT}{report.version}_to_{run.kind}-v{run.version}"
    write_csv(
        folder / f"bridge_payments_{stem}.csv",
        (
            "participant_id",
            "before_cny",
            "baseline_cny",
            "metered_cny",
            "terms_cny",
            "arrived_cny",
            "after_cny",
        ),
        [
            (
                one.participant_id,
                *(
                    money_text(fen)
                    for fen in (
                        one.before_fen,
                        one.baseline_fen,
                        one.metered_fen,
                        one.terms_fen,
                        one.arrived_fen,
                        one.after_fen,
                    )
                ),
            )
            for one in payments
        ],
    )
    write_csv(
        folder / f"bridge_charges_{stem}.csv",
        ("participant_id", "before_cny", "cost_cny", "drivers_cny", "after_cny"),
        [
            (
                one.participant_id,
                *(money_text(fen) for fen in (one.before_fen, one.cost_fen, one.drivers_fen, one.after_fen)),
            )
            for one in charges
        ],
    )
    return EventBridge(event_id, f"{REPORT}{report.version}", run.alias, payments, charges, folder)


def _run(home: Home, event_id: str, month: str, run_name: str | None) -> runs.Run:
    if run_name is not None:
        return runs.find_run(home, run_name)
    run = runs.latest_run(home, "final", month) or runs.latest_run(home, "draft", month)
    if run is None:
        raise NothingToBridgeError(
            f"{month} has no run yet, so event {event_id} has only its provisional report; settle the month first."
        )
    return run


def _again(home: Home, event_id: str, profile_name: str, as_of: str | None) -> SettledEvent:
    known = None if as_of is None else datetime.fromisoformat(as_of)
    days = EventDays.of_event(home, event_id, profile(profile_name), known)
    return days.settle(days.events.events[0])


def _side(settled: SettledEvent) -> Side:
    window = event_window(settled.event)
    today = settled.book.on(settled.event.date)[:, window]
    return Side(
        settled.event,
        settled.program,
        {one.participant_id: one for one in settled.commitments},
        {one.participant_id: one for one in settled.outcomes},
        dict(zip(settled.book.participants, today, strict=True)),
        settled.shares_cost,
    )
