"""月结: settle a month from the warehouse into an immutable run (architecture §2; rulings 13-14)."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any
from uuid import UUID

import pandas as pd
import pyarrow as pa

from jobs import access, actor, posted
from jobs.accepted import ESTIMATES
from jobs.audit_month import CONTRACT_RECORDS, AuditedMonth, audit_findings, looked_at
from jobs.basis import LINES, Basis, past_basis
from jobs.collection import put_off_collection
from jobs.consumer_bills import CONSUMER_CURVES, CONSUMER_RECORDS, ConsumerMonth, KeepDays
from jobs.demand_response import (
    EVENT_TABLES,
    LOOK_BACK,
    MonthEvents,
    MonthResponse,
    session_inputs,
    settle_events,
)
from jobs.estimates import estimates_table
from jobs.kind_findings import kind_findings, storage_findings
from jobs.metering_errors import MeteringErrors, metering_errors
from jobs.month_facts import before_its_date, month_facts
from jobs.month_inputs import MONTH_CURVES, MonthInputs, UnifiedPrices
from jobs.month_parties import differences_by_party, parties_of
from jobs.month_readings import CheckedReadings, check_readings, reading_inputs
from jobs.month_registers import difference_by_participant, month_of_meters, register_findings
from jobs.month_trades import TRADE_TABLES, settled_trades
from jobs.progress import Progress, silent
from jobs.reclear import SESSION_CURVES, SESSION_RECORDS, clearing_findings
from jobs.roster import ROSTER_TABLES, Roster, dated_in, valid_in
from market.money import half_up, scaled, wide_sum, yuan
from market.periods import Month
from market.profiles import ChargeMatrix, ProvincialRules, RuleProfile, profile
from market.tables import ParticipantKind
from settlement.adjustments import adjustments
from settlement.audit.closing import DaySums
from settlement.corrections import Brought, differences, moved
from settlement.findings import Finding, Severity
from settlement.ledger import participant_account
from settlement.lines import Lines
from settlement.month import MonthSettlement, month_use, settle_month
from settlement.parties import DailySeries
from settlement.passthrough import needs_deviation
from settlement.purchases import StageTotals, by_stage
from settlement.retail.packages import Certificates
from warehouse import run_tables, runs
from warehouse.curves import curve_inputs
from warehouse.daily_file import DAILY, DailyFile
from warehouse.deliveries import newest_recorded_at
from warehouse.difference_tables import (
    CORRECTIONS,
    DIFFERENCES,
    differences_table,
    read_clearing_movements,
    read_line_amounts,
)
from warehouse.home import Home
from warehouse.lock import SETTLEMENT, exclusive
from warehouse.records import read_records, read_tables, table_inputs
from warehouse.rule_files import keep_rules

KINDS = ("draft", "final")
MONTH_RECORDS = (
    *ROSTER_TABLES,
    *TRADE_TABLES,
    "capacity_available",
    "fee_pools",
    "standards",
    "registers",
    "manual_adjustments",
    CONTRACT_RECORDS,
    *CONSUMER_RECORDS,
)
LOCK = SETTLEMENT
ACCOUNTS = "accounts.parquet"


class NothingToSettleError(ValueError):
    """No meter readings of the month are in the warehouse."""


@dataclass(frozen=True)
class MonthRun:
    """The run and whether it was computed now or existed; ``differences`` is filled by ``force``.

    checked: the cities whose readings were checked for a new run; those of the others were taken over.
    """

    run: runs.Run
    computed: bool
    differences: tuple[str, ...] = ()
    checked: tuple[str, ...] | None = None


def settle(
    home: Home,
    month: Month,
    *,
    kind: str = "draft",
    profile_name: str | RuleProfile = "SD_2022",
    as_of: datetime | None = None,
    force: bool = False,
    wait_seconds: float = 600,
    progress: Progress = silent,
) -> MonthRun:
    """Settle a month; the same inputs, rules and software give the run that already exists.

    force: compute again in a temporary folder and compare byte by byte with the existing run.
    Raises NothingToSettleError, warehouse.lock's refusal after ``wait_seconds``, LedgerNotBalancedError,
    NotAllowedError where the actor may not prepare a run.
    """
    if kind not in KINDS:
        raise ValueError(
            f"{kind!r} is not a kind of run that settles a month; choose one of {', '.join(KINDS)}. A month that is "
            "final is corrected by `gridsettle run correct`."
        )
    rules = profile_name if isinstance(profile_name, RuleProfile) else profile(profile_name)
    as_of = as_of or newest_recorded_at(home)
    who = actor.current(home)
    access.require(who, access.Act.SETTLE)
    with ExitStack() as stack:
        stack.enter_context(exclusive(home, LOCK, timeout=wait_seconds))
        stack.enter_context(put_off_collection())
        billed = posted.billed_draft(home, str(month), rules.settled[0]) if kind == "final" else None
        basis = Basis(
            home,
            month,
            rules,
            as_of,
            _month_before(home, month),
            posted.posted_into(home, str(month)),
            posted.waiting_for(home, str(month)),
            billed,
            kind=kind,
        )
        identify = partial(_identity, basis, basis_inputs(basis))
        newest = runs.latest_run(home, kind, str(month))
        compute = partial(compute_run, basis, progress)
        if newest is not None and identify(newest.previous, _target(newest)).run_id == UUID(newest.run_id):
            differences = runs.verify(newest)
            if force:
                again = Path(
                    stack.enter_context(tempfile.TemporaryDirectory(prefix="gridsettle-", dir=home.root))
                )
                differences += runs.recompute(again, newest, compute)
            return MonthRun(newest, computed=force, differences=tuple(differences))
        previous = newest or earlier_version(home, kind, str(month))
        into = None if billed is None else posted.open_after(home, month)
        identity = identify(None if previous is None else previous.run_id, into)
        if kind == "final":
            _refuse_corrected(home, month)
        keep_rules(home, rules)
        left = runs.orphan(home, identity.run_id)
        if left is not None:
            return MonthRun(runs.register(home, left, who.signature), computed=False)
        number = 1 if newest is None else newest.version + 1
        checked: list[tuple[str, ...] | None] = []
        compute = partial(compute_run, basis, progress, checked=checked)
        run = runs.write_run(home, identity, number, as_of, compute, who.signature)
        return MonthRun(run, computed=True, checked=checked[-1])


def earlier_version(home: Home, kind: str, month: str) -> runs.Run | None:
    """What a first final version is compared with: the month's newest draft."""
    return runs.latest_run(home, "draft", month) if kind == "final" else None


def basis_inputs(basis: Basis) -> tuple[runs.InputFile, ...]:
    """Every file that the month rests on: what was delivered and what other runs hand over, by hash (ruling 13)."""
    return (
        *month_inputs(basis.home, basis.month, basis.as_of, basis.rules, basis.kind),
        *_carried_from(basis.before),
        *(runs.output_as_input(run, DIFFERENCES) for run in basis.corrections),
        *(runs.output_as_input(run, name) for run in _given(basis.billed) for name in (LINES, ACCOUNTS)),
    )


def month_inputs(
    home: Home, month: Month, as_of: datetime | None, rules_used: RuleProfile, kind: str = "draft"
) -> tuple[runs.InputFile, ...]:
    """The delivered files that the month rests on, by hash (ruling 13)."""
    days = _event_days(home, month, as_of)
    history = min((day - LOOK_BACK for day in days), default=month.first)
    delivered = [
        *table_inputs(home, (*MONTH_RECORDS, *EVENT_TABLES), as_of=as_of),
        *table_inputs(home, SESSION_RECORDS, as_of=as_of, first=month.first, after=month.after),
        *(
            entry
            for table in (*MONTH_CURVES, *SESSION_CURVES, *CONSUMER_CURVES)
            if table != "meter_readings"
            for entry in curve_inputs(home, table, month.first, month.after, as_of=as_of)
        ),
        *reading_inputs(home, month, rules_used, kind, as_of, history),
        *session_inputs(
            home,
            days,
            rules_used.settled[0],
            as_of,
            rota=not read_records(home, "rota", as_of=as_of).empty,
        ),
    ]
    if not any(curve_inputs(home, "meter_readings", month.first, month.after, as_of=as_of)):
        raise NothingToSettleError(
            f"There are no meter readings of {month} in the warehouse; run `gridsettle ingest` on the month's files."
        )
    return tuple(sorted({runs.InputFile(f"{sha[:16]}/{name}", sha, rows) for sha, name, rows in delivered}))


def _event_days(home: Home, month: Month, as_of: datetime | None) -> list[date]:
    return list(dated_in(read_records(home, "dr_events", as_of=as_of), month)["date"])


def _identity(
    basis: Basis, inputs: tuple[runs.InputFile, ...], previous: str | None, into: str | None
) -> runs.RunIdentity:
    return runs.RunIdentity(
        basis.kind,
        str(basis.month),
        basis.rules.name,
        basis.rules.sha256,
        inputs,
        previous,
        installed_version("gridsettle"),
        posted_into=into,
        waiting=tuple(run.run_id for run in basis.waiting),
    )


def _target(run: runs.Run) -> str | None:
    """The month that takes a run's difference, None for one that hands nothing over."""
    into: str | None = run.manifest.get("posted_into")
    return into


def _refuse_corrected(home: Home, month: Month) -> None:
    """A correction that is approved is posted; one that waits is compared with the final run that is there."""
    made = posted.standing_corrections(home, str(month))
    if made:
        raise ValueError(
            f"{month} was corrected already by {made[-1].alias}; correct it again with `gridsettle run correct` "
            "instead of settling it as final once more, or reject that correction first if it is not approved."
        )


@dataclass(frozen=True)
class Calculation:
    """A month settled in memory, before anything is written."""

    result: MonthSettlement
    response: MonthResponse
    events: MonthEvents
    findings: tuple[Finding, ...]
    readings: CheckedReadings
    certificates: tuple[tuple[str, Certificates | None], ...] = ()
    looked_at: Mapping[str, int | None] = field(default_factory=dict)


def calculate(
    home: Home,
    month: Month,
    rules_used: RuleProfile,
    *,
    kind: str = "draft",
    as_of: datetime | None = None,
    before: runs.Run | None = None,
    brought: Sequence[Brought] = (),
    unified: UnifiedPrices | None = None,
    reuse_checks: bool = False,
    settled_by: runs.Run | None = None,
    progress: Progress = silent,
    keep_days: KeepDays | None = None,
) -> Calculation:
    """Settle a month under any profile and write nothing: the run's own step, and what another rule would do.

    before: the run of the month before, whose accounts carry forward; None opens them at zero. brought: corrections
    posted into this month. unified: user prices that stay, of a month that is corrected; settled_by: the version of it
    that was final. keep_days: is given the daily amounts, which nothing here holds on to. A profile that begins later
    is applied as of its first day. Raises what ``settle`` raises.
    """
    started = rules_used.in_force_from
    rules_used = rules_used.reaching_back_to(month.first)
    rules, matrix = rules_used.settled
    records = read_tables(home, MONTH_RECORDS, as_of=as_of)
    roster = Roster(month, *(records[table] for table in ROSTER_TABLES))
    facts, fact_findings = month_facts(records, month, matrix)
    trades, trade_findings = settled_trades(records, month, roster, rules_used)
    events = MonthEvents.read(home, month, as_of)
    readings = check_readings(home, roster, records, rules_used, kind, as_of, reuse=reuse_checks)
    errors = MeteringErrors()
    if settled_by is not None and unified is not None:
        errors = metering_errors(home, month, roster, readings.accepted, as_of, settled_by, unified, rules)
        readings = replace(readings, estimates=errors.over(readings.estimates))
    consumers = ConsumerMonth(home, month, roster, rules_used, records, as_of, before)
    inputs = MonthInputs(
        home,
        month,
        roster,
        rules,
        trades.imports,
        as_of,
        keep=events.days,
        accepted=readings.accepted,
        watch=None if consumers.collector is None else consumers.collector.watch,
        unified=unified,
    )
    deviation = needs_deviation(rules.passthrough_policy)
    days_settled = inputs.settled(positive_deviation=deviation)
    settled = list(progress(days_settled, "settle", total=len(list(month.days()))))
    parties = parties_of(roster, inputs, records, month)
    by_register = month_of_meters(roster, inputs, records, rules_used)
    difference = difference_by_participant(by_register)
    facts = replace(facts, register_difference=differences_by_party(difference, roster, inputs))
    openings = _openings(before, matrix, roster)
    response = settle_events(
        home, events, roster, inputs, rules, as_of, month_use(roster.users, settled), openings
    )
    by_hand = adjustments(
        valid_in(records["manual_adjustments"], month),
        roster.kind,
        month,
        {charge.code for charge in matrix.charges},
    )
    amounts = [*response.amounts, *by_hand.amounts]
    days: list[DaySums] = []

    def take(series: Sequence[DailySeries]) -> None:
        days.extend(DaySums.of(one) for one in series)
        if keep_days is not None:
            keep_days(series)

    result = settle_month(parties, settled, trades, amounts, rules, matrix, openings, facts, brought)
    take(result.daily)
    result = replace(result, daily=())
    del settled  # bills rest on none of it, and they need the memory
    result, bill_findings = consumers.add_to(result, inputs, matrix, openings, difference, take)
    missing = _missing_lines(result)
    closed = not missing and not {"pool_without_key", "fund_unknown"} & {
        one.code for one in (*result.findings, *bill_findings)
    }
    audited = AuditedMonth(
        roster, records, result, response, consumers.use, inputs.contract_wh, days, brought, closed
    )
    findings = (
        *result.findings,
        *fact_findings,
        *before_its_date(rules_used.name, started, month),
        *trade_findings,
        *clearing_findings(home, month, records, rules_used, as_of),
        *roster.findings(),
        *inputs.findings(),
        *readings.findings,
        *register_findings(roster, by_register),
        *response.findings,
        *by_hand.findings,
        *kind_findings(roster, records["meters"]),
        *storage_findings(roster, rules, valid_in(records["energy_shares"], month)),
        *bill_findings,
        *missing,
        *audit_findings(audited, rules_used),
        *errors.findings,
        *_error_tariff(month, rules, unified),
    )
    return Calculation(
        result,
        response,
        events,
        findings,
        readings,
        tuple(consumers.certificates),
        looked_at(audited, rules_used),
    )


def calculate_basis(
    basis: Basis,
    progress: Progress = silent,
    *,
    reuse_checks: bool = False,
    keep_days: KeepDays | None = None,
) -> Calculation:
    """``calculate`` on a basis, with what waits for approval."""
    done = calculate(
        basis.home,
        basis.month,
        basis.rules,
        kind=basis.kind,
        as_of=basis.as_of,
        before=basis.before,
        brought=basis.brought(),
        unified=basis.unified(),
        reuse_checks=reuse_checks,
        settled_by=basis.origin,
        progress=progress,
        keep_days=keep_days,
    )
    waiting = posted.waiting_findings(basis.waiting, str(basis.month), basis.kind)
    unbilled = (
        []
        if basis.kind != "final" or basis.origin
        else posted.unbilled_finding(basis.billed, basis.month, basis.rules)
    )
    return replace(done, findings=(*done.findings, *waiting, *unbilled))


def compute_run(
    basis: Basis,
    progress: Progress,
    folder: Path,
    run_id: UUID,
    *,
    checked: list[tuple[str, ...] | None] | None = None,
) -> Mapping[str, Any]:
    """Settle a month on its basis into the tables of a run; rows, totals and status for its manifest.

    checked: takes note of the cities whose readings were gone through; where it is given, the checks of cities in
    which nothing has changed are taken over. Without it everything is computed afresh.
    """
    with DailyFile(folder / DAILY) as daily:
        done = calculate_basis(basis, progress, reuse_checks=checked is not None, keep_days=daily.add)
    if checked is not None:
        checked.append(done.readings.checked)
    _, matrix = basis.rules.settled
    result, response, findings = done.result, done.response, done.findings
    made: dict[str, Callable[[], pa.Table]] = {
        "lines.parquet": lambda: run_tables.lines_table(result.lines, matrix),
        "postings.parquet": lambda: run_tables.postings_table(result.postings, run_id),
        ACCOUNTS: lambda: run_tables.accounts_table(result.accounts),
        "baseline.parquet": lambda: run_tables.baseline_table(response.baselines),
        "response.parquet": lambda: run_tables.response_table(response.responses),
        "allocation.parquet": lambda: run_tables.allocation_table(response.allocations),
        "interprovincial.parquet": lambda: run_tables.interprovincial_table(result.purchases),
        ESTIMATES: lambda: estimates_table(done.readings.estimates),
        run_tables.GREEN_CERTIFICATES: lambda: run_tables.certificates_table(done.certificates),
        "findings.parquet": lambda: run_tables.findings_table(findings, run_id),
        CORRECTIONS: lambda: differences_table(basis.brought()),
        run_tables.AUDIT: lambda: run_tables.audit_table(done.looked_at),
    }
    with ThreadPoolExecutor(1, "tables") as disk:  # one table is written while the next is made
        written = {
            name: disk.submit(run_tables.write_table, make(), folder / name) for name, make in made.items()
        }
    rows = {name: one.result() for name, one in written.items()}
    rows[DAILY] = daily.rows
    if basis.billed is not None:
        rows[DIFFERENCES] = write_differences(basis.billed, basis.month, folder, run_id)
    blocked = any(finding.severity is Severity.BLOCK for finding in findings)
    return {
        "rows": rows,
        "totals": _totals(result, findings, done.events),
        "status": "blocked" if blocked else "ready",
    }


def write_differences(before: runs.Run, month: Month, folder: Path, run_id: UUID) -> int:
    """What the run in ``folder`` changes against a version before it, as DIFFERENCES; its rows."""
    changed = differences(str(month), read_line_amounts(before.folder), read_line_amounts(folder))
    clearing = moved(read_clearing_movements(before.folder), read_clearing_movements(folder))
    table = differences_table([Brought(str(run_id), str(month), changed, clearing)])
    return run_tables.write_table(table, folder / DIFFERENCES)


def _given(run: runs.Run | None) -> tuple[runs.Run, ...]:
    return () if run is None else (run,)


def _month_before(home: Home, month: Month) -> runs.Run | None:
    """The run that the month's accounts carry forward from: the final one of the month before, else its draft."""
    before = str(Month.of(month.first - timedelta(days=1)))
    final = runs.latest_run(home, "final", before)
    if final is None:
        return runs.latest_run(home, "draft", before)
    return past_basis(home, final).billed or final  # the books go on from what was billed


def _carried_from(before: runs.Run | None) -> tuple[runs.InputFile, ...]:
    """The closing balances are an input like any other, and part of the run's identity (ruling 13)."""
    if before is None:
        return ()
    return tuple(
        runs.InputFile(f"runs/{before.run_id}/{entry['path']}", entry["sha256"], entry["rows"])
        for entry in before.manifest["outputs"]
        if entry["path"] in (ACCOUNTS, run_tables.GREEN_CERTIFICATES)
    )


def _openings(before: runs.Run | None, matrix: ChargeMatrix, roster: Roster) -> dict[str, int]:
    """Closing balances of the accounts that carry forward, and of funds, which keep what they do not pay."""
    if before is None:
        return {}
    accounts = pd.read_parquet(before.folder / ACCOUNTS)
    carried = {account.code for account in matrix.accounts if account.closes == "carry_forward"}
    carried |= {participant_account(who) for who, kind in roster.kind.items() if kind == ParticipantKind.FUND}
    return {
        row.account: scaled(row.closing_cny, 2) for row in accounts.itertuples() if row.account in carried
    }


def _error_tariff(month: Month, rules: ProvincialRules, unified: UnifiedPrices | None) -> list[Finding]:
    """What a correction under rules without a tariff of errors leaves out (market.md B.11)."""
    if unified is None or rules.correction_pricing == "error_tariff":
        return []
    return [
        Finding(
            "error_tariff_not_applied",
            Severity.INFORM,
            str(month),
            f"Every corrected quantity of {month} is priced in its own quarter-hour. The rule that adjusts the monthly "
            "total alone for an error below 10 % of its energy is not applied: its rules say so (correction_pricing; SD25, "
            "market.md B.11; docs/corrections.md).",
        )
    ]


def _missing_lines(result: MonthSettlement) -> list[Finding]:
    missing: dict[str, list[str]] = defaultdict(list)
    lines = Lines.of(result.lines)
    for line in lines.only(~lines.amount.known):
        missing[line.charge_code].append(line.participant_id)
    return [
        Finding(
            "missing_amount",
            Severity.BLOCK,
            code,
            f"{len(who)} lines of {code} have no amount because an input is missing; they are not posted and the "
            "run cannot be approved. Mend the findings on missing inputs and settle again.",
            evidence={"participants": who[:50], "count": len(who)},
        )
        for code, who in sorted(missing.items())
    ]


def _totals(result: MonthSettlement, findings: Sequence[Finding], events: MonthEvents) -> dict[str, Any]:
    systems = list(result.systems.values())
    lines = Lines.of(result.lines)
    fen = lines.amount.values
    severities = [str(finding.severity) for finding in findings]
    return {
        "use_mwh": _mwh([system.use for system in systems]),
        "generation_mwh": _mwh([system.generation for system in systems]),
        "import_mwh": _mwh([system.imported for system in systems]),
        "loss_mwh": _mwh([system.loss for system in systems]),
        "charges_cny": str(yuan(wide_sum(fen[fen > 0]))),
        "credits_cny": str(yuan(wide_sum(fen[fen < 0]))),
        "lines": len(lines),
        "missing_lines": int((~lines.amount.known).sum()),
        "participants": len(lines.participants),
        "interprovincial": {one.stage: _stage_totals(one) for one in by_stage(result.purchases)},
        "events": len(events.events),
        "demand_response_cny": str(
            yuan(-wide_sum(lines.with_codes(["demand_response_payment"]).amount.values))
        ),
        "findings": {severity: severities.count(severity) for severity in map(str, Severity)},
    }


def _stage_totals(one: StageTotals) -> dict[str, str | None]:
    landed, reference, gap = one.landed_fen, one.reference_fen, one.shown_gap_cny
    return {
        "bought_mwh": str(Decimal(one.bought_wh).scaleb(-6)),
        "landed_cost_cny": None if landed is None else str(yuan(landed)),
        "provincial_value_cny": None if reference is None else str(yuan(reference)),
        "gain_loss_cny": None if landed is None or reference is None else str(yuan(landed - reference)),
        "landed_price_rounding_cny": None if gap is None else str(yuan(half_up(gap * 100))),
    }


def _mwh(parts: Sequence[int | None]) -> str | None:
    known = [part for part in parts if part is not None]
    return str(Decimal(sum(known)).scaleb(-6)) if len(known) == len(parts) else None
