"""Writes the allocation page of a run, after checking that it says what the run says (architecture §7)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pandas as pd

from demand_response.lab import Variant
from jobs.dr_day import EventDays
from jobs.dr_lab import Lab, NothingToTryError, try_baselines
from jobs.dr_views import event_view
from jobs.roster import valid_in
from jobs.whole_files import write_whole
from market.money import scaled, yuan
from market.periods import Month
from market.profiles import profile
from reports import labels
from reports.allocation_numbers import EventView
from reports.allocation_page import AllocationPage, Fact, LabView, allocation_page
from reports.allocation_words import AllocationLabels
from reports.content import Party
from warehouse import runs
from warehouse.home import Home
from warehouse.records import read_records


class PageDiffersError(RuntimeError):
    """What the page would say is not what the run says; the sentence names the first difference."""


def write_allocation_page(home: Home, run_name: str, *, lang: str = "zh") -> Path:
    """The allocation page of a run, ``reports/<run_id>/allocation_<month>.html``; without events it says so.

    Everything is recalculated from what the run knew and compared with its files to the fen. Raises RunNotFoundError,
    RunDamagedError for a run that does not have its hashes, PageDiffersError where the packaged rules or the records
    now give another result.
    """
    run = runs.find_run(home, run_name)
    problems = runs.verify(run)
    if problems:
        raise runs.RunDamagedError(f"The allocation page of {run.alias} is not written. {' '.join(problems)}")
    manifest = run.manifest
    as_of = None if manifest["as_of"] is None else datetime.fromisoformat(manifest["as_of"])
    words = AllocationLabels(lang)
    days = EventDays.of_month(home, Month.parse(run.month), profile(manifest["profile"]), as_of)
    lab = laboratory(home, days)
    views = [event_view(days, settled, lab) for settled in days.settle_all(_openings(run))]
    _check(run, views, days)
    pools = _capacity_pools(run, views)
    head = [
        Fact(words("run_alias"), f"{run.alias} · {words.of(labels.RUN_KINDS, run.kind)}"),
        Fact(words("status"), words.of(labels.STATUSES, run.status)),
        Fact(words("as_of"), manifest["as_of"] or ""),
        Fact(words("profile"), f"{manifest['profile']} {manifest['profile_sha256'][:16]}", is_code=True),
        Fact(words("run_id"), run.run_id, is_code=True),
        Fact(words("fingerprint"), run.fingerprint, is_code=True),
        *(Fact(f"{words('capacity_fee')} {pool}", f"{amount} 元") for pool, amount in pools.items()),
        *(Fact(f"{words('fund')} {fund}", sentence) for fund, sentence in _funds(run).items()),
    ]
    page = AllocationPage(
        title=f"{run.month} {words('allocation_report')}",
        head=head,
        month=days.month,
        profile=days.profile,
        parties=parties(home, days.month, as_of),
        events=views,
        lab=lab_view(lab),
        sources=sources(days) if views else [],
        provisional=False,
    )
    folder = home.reports / run.run_id
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"allocation_{run.month}.html"
    write_whole(path, allocation_page(page, words).encode("utf-8"))
    return path


def _capacity_pools(run: runs.Run, views: Sequence[EventView]) -> dict[str, Decimal]:
    """Capacity fees that the payers bear, yuan by pool: they are shared, and no event."""
    allocation = pd.read_parquet(run.folder / "allocation.parquet")
    of_pools = allocation[~allocation["event_id"].isin([view.event.event_id for view in views])]
    return {str(pool): rows["charge_cny"].sum() for pool, rows in of_pools.groupby("event_id", sort=True)}


def _funds(run: runs.Run) -> dict[str, str]:
    findings = pd.read_parquet(run.folder / "findings.parquet")
    of_funds = findings[findings["code"] == "fund_month"]
    return dict(zip(of_funds["subject"], of_funds["sentence"], strict=True))


def _openings(run: runs.Run) -> dict[str, int]:
    accounts = pd.read_parquet(run.folder / "accounts.parquet")
    return {row.account: scaled(row.opening_cny, 2) for row in accounts.itertuples() if row.opening_cny}


def laboratory(home: Home, days: EventDays, before: date | None = None) -> Lab | None:
    """The month's laboratory, on days before ``before`` alone if given; None where there is nothing to try."""
    try:
        return try_baselines(
            home, days.month, profile_name=days.profile.name, as_of=days.as_of, before=before
        )
    except NothingToTryError:
        return None


def lab_view(lab: Lab | None) -> LabView | None:
    """The laboratory as the page shows it."""
    if lab is None:
        return None
    counted = Counter(
        Variant(method, adjustment)
        for method, adjustment in zip(lab.choice["method"], lab.choice["adjustment"], strict=True)
    )
    return LabView(
        lab.placebos,
        lab.summary,
        counted,
        lab.window,
        lab.certified_below,
        int(lab.evidence["days"].max()),
    )


def parties(home: Home, month: Month, as_of: datetime | None) -> dict[str, Party]:
    """Names, kinds and cities of everyone in the month."""
    people = valid_in(read_records(home, "participants", as_of=as_of), month)
    people = people.sort_values("valid_from", kind="stable")
    return {
        row.participant_id: Party(row.participant_id, row.name, row.kind, row.city or None)
        for row in people[["participant_id", "name", "kind", "city"]].itertuples(index=False)
    }


def sources(days: EventDays) -> list[tuple[str, str, int]]:
    """(file, sha256, rows) of every delivered file the events rest on."""
    return [(entry.file_name, entry.delivery_id, entry.rows) for entry in days.inputs()]


def _check(run: runs.Run, views: Sequence[EventView], days: EventDays) -> None:
    """Payments, penalties and charges of the page against the run's files, to the fen."""
    response = pd.read_parquet(run.folder / "response.parquet")
    allocation = pd.read_parquet(run.folder / "allocation.parquet")
    allocation = allocation[~allocation["event_id"].isin(_capacity_pools(run, views).keys())]
    stated = {
        **_stated(response, "payment_cny", ["event_id", "participant_id"]),
        **_stated(response, "penalty_cny", ["event_id", "participant_id"]),
        **_stated(allocation, "charge_cny", ["event_id", "participant_id", "tranche"]),
        **_stated(allocation, "benefit_cny", ["event_id", "participant_id", "tranche"]),
    }
    shown = _shown(views)
    for key in sorted(stated.keys() | shown.keys()):
        if stated.get(key) != shown.get(key):
            raise PageDiffersError(
                f"{' / '.join(key)}: run {run.alias} says {stated.get(key)}, its inputs now give {shown.get(key)}; the "
                f"rules packaged as {days.profile.name} or the software are no longer those of the run. Settle the month "
                "again, or print the page with the version the manifest names."
            )


def _stated(frame: pd.DataFrame, column: str, keys: list[str]) -> dict[tuple[str, ...], Decimal | None]:
    rows = frame[[*keys, column]].itertuples(index=False, name=None)
    return {(column, *key): None if pd.isna(value) else Decimal(value) for *key, value in rows}


def _shown(views: Sequence[EventView]) -> Mapping[tuple[str, ...], Decimal | None]:
    shown: dict[tuple[str, ...], Decimal | None] = {}
    for view in views:
        event = view.event.event_id
        for one in view.outcomes:
            who = one.participant_id
            shown["payment_cny", event, who] = None if one.payment_fen is None else yuan(one.payment_fen)
            shown["penalty_cny", event, who] = None if one.penalty_fen is None else yuan(one.penalty_fen)
        if view.shared is None:
            continue
        benefit = dict(
            zip(view.shared.drivers["participant_id"], view.shared.drivers["benefit_fen"], strict=True)
        )
        charge: dict[tuple[str, str], int] = defaultdict(int)
        for row in view.shared.charges.itertuples():
            charge[row.participant_id, row.tranche] += int(row.charge_fen)
        for (who, tranche), fen in charge.items():
            shown["charge_cny", event, who, tranche] = yuan(fen)
            shown["benefit_cny", event, who, tranche] = yuan(int(benefit[who]))
    return shown
