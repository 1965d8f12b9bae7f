"""Rules about an account's record: tariff class (R12), master data (R18), new and closed accounts (R19).

Grain: one finding an account and rule, routed to the account's city.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from market.audit_rules import RequiredKeys, TariffClassFit
from market.consumer import ConsumerRules
from market.periods import Month
from settlement.audit.accounts import Account, Record
from settlement.findings import Finding, Severity


def tariff_class_fits(
    accounts: Iterable[Account], fits: Sequence[TariffClassFit], rules: ConsumerRules | None
) -> Iterator[Finding]:
    """R12 电价执行错误: the class of an account does not fit its kind, its voltage or its capacity.

    rules: for the voltage bands; without them the voltage is not looked at. What is empty is R18's.
    """
    of_class = {one.tariff_class: one for one in fits}
    classed_kinds = {kind for one in fits for kind in one.kinds}
    for account in accounts:
        now = account.now
        if now.kind not in classed_kinds or not now.tariff_class:
            continue
        faults = list(_misfits(now, of_class.get(now.tariff_class), rules))
        if faults:
            yield Finding(
                "tariff_class_differs",
                Severity.REVIEW,
                account.participant_id,
                f"{account.participant_id} is billed as {now.tariff_class}, but {' and '.join(faults)} (R12). Compare the "
                "contract of supply; deliver the class or the record that is right.",
                city=now.city,
                evidence={
                    "participant_id": account.participant_id,
                    "tariff_class": now.tariff_class,
                    "kind": now.kind,
                    "voltage_kv": _text(now.voltage_kv),
                    "capacity_kva": _text(now.capacity_kva),
                },
            )


def _misfits(now: Record, fit: TariffClassFit | None, rules: ConsumerRules | None) -> Iterator[str]:
    if fit is None:
        yield "the profile knows no such class"
        return
    if now.kind not in fit.kinds:
        yield f"it is of kind {now.kind}"
    if rules is not None and now.voltage_kv is not None and rules.band(now.voltage_kv) not in fit.bands:
        yield f"it is supplied at {now.voltage_kv:f} kV"
    if now.capacity_kva is not None and now.capacity_kva < fit.from_kva:
        yield f"it has {now.capacity_kva:f} kVA, less than {fit.from_kva:f}"
    if now.capacity_kva is not None and fit.to_kva is not None and now.capacity_kva >= fit.to_kva:
        yield f"it has {now.capacity_kva:f} kVA, not less than {fit.to_kva:f}"


def master_data_complete(accounts: Iterable[Account], required: Sequence[RequiredKeys]) -> Iterator[Finding]:
    """R18 户变/互感器档案缺失: a key that the account's kind must have is empty, or no meter belongs to it."""
    keys = {one.kind: one.keys for one in required}
    for account in accounts:
        now = account.now
        lacking = [
            key
            for key in keys.get(now.kind, ())  # type: ignore[call-overload]  # a kind is a StrEnum
            if (not account.metered if key == "meter" else getattr(now, key) in (None, ""))
        ]
        if lacking:
            yield Finding(
                "master_data_missing",
                Severity.REVIEW,
                account.participant_id,
                f"The record of {account.participant_id} ({now.kind}) has no {', '.join(lacking)} (R18); what rests on it "
                "cannot be checked. Deliver participants or meters with it.",
                city=now.city,
                evidence={"participant_id": account.participant_id, "missing": lacking},
            )


def joined_or_left(accounts: Iterable[Account], month: Month) -> Iterator[Finding]:
    """R19 新装/销户当月: the account began or ended inside the month, so its charges follow the days."""
    for account in accounts:
        began, ended = account.records[0].valid_from, account.records[-1].valid_to
        new = month.first < began < month.after
        closed = ended is not None and month.first < ended < month.after
        if not account.metered or not (new or closed):
            continue
        first = max(began, month.first)
        after = month.after if ended is None else min(ended, month.after)
        said = " and ".join(
            text for text, holds in ((f"began on {began}", new), (f"ended before {ended}", closed)) if holds
        )
        yield Finding(
            "account_joined_or_left",
            Severity.REVIEW,
            account.participant_id,
            f"{account.participant_id} {said}: {(after - first).days} of {len(list(month.days()))} days are settled (R19). "
            "Confirm the day and the first or last reading.",
            city=account.now.city,
            evidence={
                "participant_id": account.participant_id,
                "from": str(first),
                "to": str(after),
            },
        )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
