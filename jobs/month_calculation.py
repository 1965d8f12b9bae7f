"""A month settled in memory: from the warehouse and a profile to lines, accounts and findings (architecture §2; ruling 14)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import pandas as pd

from jobs import posted
from jobs.audit_month import CONTRACT_RECORDS, AuditedMonth, audit_findings, looked_at
from jobs.basis import Basis
from jobs.collection import hand_back_memory
from jobs.consumer_bills import CONSUMER_RECORDS, ConsumerMonth
from jobs.demand_response import MonthEvents, MonthResponse, settle_events
from jobs.kind_findings import kind_findings, storage_findings
from jobs.metering_errors import MeteringErrors, metering_errors
from jobs.month_facts import before_its_date, month_facts
from jobs.month_inputs import MonthInputs, UnifiedPrices
from jobs.month_parties import differences_by_party, parties_of
from jobs.month_readings import CheckedReadings, check_readings
from jobs.month_registers import difference_by_participant, month_of_meters, register_findings
from jobs.month_trades import TRADE_TABLES, settled_trades
from jobs.progress import Progress, silent
from jobs.reclear import clearing_findings
from jobs.roster import ROSTER_TABLES, Roster, valid_in
from jobs.rules_left_open import capacity_findings, error_tariff_findings
from market.money import scaled
from market.periods import Month
from market.profiles import ChargeMatrix, RuleProfile
from market.tables import ParticipantKind
from settlement.adjustments import adjustments
from settlement.audit.closing import DaySums
from settlement.charges import KeepDays
from settlement.corrections import Brought
from settlement.day import DaySettlement
from settlement.findings import Finding, Severity
from settlement.ledger import participant_account
from settlement.lines import Lines
from settlement.month import MonthSettlement, month_outside_market, month_use, settle_month
from settlement.parties import DailySeries
from settlement.passthrough import needs_deviation
from settlement.retail.packages import Certificates
from warehouse import run_tables, runs
from warehouse.home import Home
from warehouse.records import read_tables

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
        accepted=readings.accepted,
        watch=None if consumers.collector is None else consumers.collector.watch,
        unified=unified,
    )
    deviation = needs_deviation(rules.passthrough_policy)
    days_settled = inputs.settled(positive_deviation=deviation)
    settled = list(progress(days_settled, "settle", total=len(list(month.days()))))
    hand_back_memory()
    parties = parties_of(roster, inputs, records, month)
    by_register = month_of_meters(roster, inputs, records, rules_used)
    difference = difference_by_participant(by_register)
    facts = replace(facts, register_difference=differences_by_party(difference, roster, inputs))
    openings = _openings(before, matrix, roster)
    bearing = {
        **month_use(roster.users, settled),
        **month_outside_market(roster.generators, settled),
    }
    response = settle_events(home, events, roster, inputs, rules, as_of, bearing, openings, records["meters"])
    hand_back_memory()
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

    result = settle_month(
        parties, _let_go(settled), trades, amounts, rules, matrix, openings, facts, brought, take
    )
    hand_back_memory()
    result, bill_findings = consumers.add_to(result, inputs, matrix, openings, difference, take)
    gaps, contract_wh = inputs.findings(), inputs.contract_wh
    del inputs, consumers.collector  # they hold the use of every consumer and day
    hand_back_memory()
    missing = _missing_lines(result)
    closed = not missing and not {"pool_without_key", "fund_unknown"} & {
        one.code for one in (*result.findings, *bill_findings)
    }
    audited = AuditedMonth(
        roster, records, result, response, consumers.use, contract_wh, days, brought, closed
    )
    findings = (
        *result.findings,
        *fact_findings,
        *before_its_date(rules_used.name, started, month),
        *trade_findings,
        *clearing_findings(home, month, records, rules_used, as_of),
        *roster.findings(),
        *gaps,
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
        *error_tariff_findings(month, rules, unified),
        *capacity_findings(roster, rules_used, not records["packages"].empty),
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


def _let_go(days: list[DaySettlement]) -> Iterator[DaySettlement]:
    """The days one by one, out of the list: who takes them decides how long they stay in memory."""
    while days:
        yield days.pop(0)


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


def _openings(before: runs.Run | None, matrix: ChargeMatrix, roster: Roster) -> dict[str, int]:
    """Closing balances of the accounts that carry forward, and of funds, which keep what they do not pay."""
    if before is None:
        return {}
    accounts = pd.read_parquet(before.folder / run_tables.ACCOUNTS)
    carried = {account.code for account in matrix.accounts if account.closes == "carry_forward"}
    carried |= {participant_account(who) for who, kind in roster.kind.items() if kind == ParticipantKind.FUND}
    return {
        row.account: scaled(row.closing_cny, 2) for row in accounts.itertuples() if row.account in carried
    }


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
