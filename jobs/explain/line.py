"""One line explained: what the run says, what stands behind it, and that the parts give the line.

Lines and days are read from the run; quarter-hours and trades are computed again from the warehouse as the run
knew it and must give the run's day to the last 1e-9 元, or the explanation is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from jobs import access, actor
from jobs.explain.brought import brought_of
from jobs.explain.events import OF_EVENTS, events_of
from jobs.explain.pools import OWN_POOLS, pool_of
from jobs.explain.registers import OF_REGISTERS, registers_of
from jobs.explain.run import NotExplainedError, RunData
from jobs.explain.trades import OF_TRADES, trades_of
from jobs.roster import dated_in
from market.periods import Month
from market.profiles import RuleProfile
from market.sharing import Fee
from reports.explanation import Day, Explanation, Part, Source
from settlement.corrections import CODE as RESETTLEMENT
from settlement.passthrough import CODE as GAIN_LOSS
from warehouse.home import Home
from warehouse.runs import find_run

WITHOUT_QUARTERS = (
    *("month_adjustment", "month_adjustment_loss", "residents_cost_recovery", "residents_gain_loss"),
    *("deviation_recovery_users", "deviation_recovery_generators", "deviation_recovery_return"),
    *("guaranteed_purchase", "priority_generation", "curve_mismatch"),
)


def explain(
    home: Home,
    run_name: str,
    participant_id: str,
    charge_code: str,
    day: date | None = None,
    *,
    rules: RuleProfile | None = None,
) -> Explanation:
    """Explain one line of a run, found by id, beginning of an id, or alias; ``day`` goes to its quarter-hours.

    rules: the run's profile where it is not the packaged one of that name. Raises RunNotFoundError,
    NotExplainedError, NotAllowedError for a line that is not for the actor's eyes.
    """
    who = actor.current(home)
    access.require(who, access.Act.READ_LINES)
    run = RunData(home, find_run(home, run_name), rules)
    _refuse_hidden(run, who, participant_id, charge_code)
    return _explain(run, participant_id, charge_code, day)


def explain_every_day(home: Home, run_name: str, participant_id: str, charge_code: str) -> list[Explanation]:
    """The line, then each of its days down to the quarter-hours; reads the run once. Raises what ``explain`` raises."""
    who = actor.current(home)
    access.require(who, access.Act.READ_LINES)
    run = RunData(home, find_run(home, run_name), None)
    _refuse_hidden(run, who, participant_id, charge_code)
    whole = _explain(run, participant_id, charge_code, None)
    return [whole, *(_explain(run, participant_id, charge_code, one.date) for one in whole.days)]


def _refuse_hidden(run: RunData, who: actor.Actor, participant_id: str, charge_code: str) -> None:
    city = run.line(participant_id, charge_code).city
    access.refuse_hidden(who, city, participant_id)


def _explain(run: RunData, participant_id: str, charge_code: str, day: date | None) -> Explanation:
    if day is not None and Month.of(day) != run.month:
        raise NotExplainedError(f"{day} is not in {run.month}, the month of run {run.run.alias}.")
    line = run.line(participant_id, charge_code)
    days = run.days(participant_id, charge_code)
    by_days = bool(days) or charge_code in OF_REGISTERS
    if run.matrix.charge(charge_code).layer == "consumer" and (day is not None or not by_days):
        raise NotExplainedError(
            f"{charge_code} belongs to a bill of the second layer, which is explained by its days where it has any and "
            "not by quarter-hour; docs/consumer_bills.md has its formula, and tariffs, packages and lines.parquet what "
            "goes into it."
        )
    behind: dict[str, Any] = {"days": days}
    charge = run.matrix.charge(charge_code)
    by_month = charge.fee is not None or charge_code in WITHOUT_QUARTERS
    if by_month and day is not None:
        raise NotExplainedError(
            f"{charge_code} is settled by {charge.period} ({charge.key}), not by quarter-hour; explain it without a date."
        )
    if charge_code in OF_EVENTS:
        behind |= events_of(run, participant_id, charge_code, day)
    elif charge_code in OF_TRADES or charge_code == GAIN_LOSS:
        behind |= trades_of(run, participant_id, charge_code, day, days)
    elif days and day is not None:
        behind |= _quarters(run, participant_id, charge_code, day, days)
    if not days and day is not None and charge_code != RESETTLEMENT:
        keyed = run.energy(day, participant_id).meter_sources(
            participant_id, run.book(participant_id)["meters"], run.files
        )
        behind["sources"] = (*behind.get("sources", ()), *keyed)
    if line.amount_cny is None:
        behind["missing_because"] = _why_missing(run, participant_id)
    elif charge_code == RESETTLEMENT:
        behind |= brought_of(run, participant_id)
    elif charge_code in OF_REGISTERS:
        behind["sources"] = registers_of(run, participant_id)
    elif charge.fee is not None:
        behind["sources"] = _fee_sources(run, participant_id, charge.fee)
    elif not days and charge_code in OWN_POOLS:
        behind["pool"], sources = pool_of(run, participant_id, charge_code)
        behind["sources"] = (*sources, *behind.get("sources", ()))
    named = [*run.matrix.charges, *run.matrix.transfers]
    return Explanation(
        run_id=run.run.run_id,
        run_alias=run.run.alias,
        participant_id=participant_id,
        participant_name=run.name(participant_id),
        charge_code=charge_code,
        clause=line.clause,
        quantity_mwh=line.quantity_mwh,
        price_cny_per_mwh=line.price_cny_per_mwh,
        amount_cny=line.amount_cny,
        day=day,
        names={one.code: (one.name_zh, one.name_en) for one in named},
        **behind,
    )


def _fee_sources(run: RunData, who: str, fee: Fee) -> tuple[Source, ...]:
    """Rows of fee_pools behind a fee: those that name the participant, or all that it shares."""
    rows = dated_in(run.read("fee_pools"), run.month)
    rows = rows[rows["charge_code"].isin(fee.pools)]
    if fee.role == "named":
        rows = rows[rows["participant_id"] == who]
    return tuple(run.files.records("fee_pools", rows, "cause", ("date", "amount_cny")))


def _quarters(run: RunData, who: str, code: str, day: date, days: Sequence[Day]) -> dict[str, Any]:
    energy = run.energy(day, who, with_imports=code == "loss")
    parts = energy.parts(code, who)
    _check_day(run, who, code, parts, next((one.amount_cny for one in days if one.date == day), None))
    return {"parts": parts, "sources": energy.sources(code, who, run.book(who), run.files)}


def _check_day(run: RunData, who: str, code: str, parts: Sequence[Part], of_run: Decimal | None) -> None:
    amounts = [part.amount_cny for part in parts]
    known = [amount for amount in amounts if amount is not None]
    again = sum(known, Decimal(0)) if len(known) == len(amounts) else None
    run.agree(code, who, again == of_run, "the quarter-hours", again, of_run)


def _why_missing(run: RunData, who: str) -> tuple[str, ...]:
    """Blocking findings about the participant, or all of them where none names it."""
    blocking = [
        finding
        for finding in run.findings
        if finding["severity"] == "block" and finding["code"] != "missing_amount"
    ]
    mine = [one for one in blocking if who == one["subject"] or f'"{who}"' in one["evidence"]]
    return tuple(one["sentence"] for one in (mine or blocking))
