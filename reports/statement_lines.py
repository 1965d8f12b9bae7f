"""A participant's statement lines against the previous version: difference and why, as data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from market.money import yuan
from reports.bridge_text import CAUSES
from reports.content import Charges, FindingRow, LineRow, RunContent, known_total, total
from reports.labels import MOVED, Labels
from settlement.bridge import BridgeRow, Cause


@dataclass(frozen=True)
class StatementLine:
    """A line as printed; amounts yuan, None is missing.

    moved: what differs from the version before, a code of ``reports.labels.MOVED``, empty where there is none.
    causes: why, from the bridge, the largest part first; None where no bridge could be computed.
    """

    charge_code: str
    quantity_mwh: Decimal | None
    price_cny_per_mwh: Decimal | None
    amount_cny: Decimal | None
    previous_cny: Decimal | None
    difference_cny: Decimal | None
    moved: str
    clause: str
    quality: Decimal | None
    causes: tuple[tuple[str, Decimal], ...] | None = ()


@dataclass(frozen=True)
class Net:
    """What a participant pays (positive) or receives: ``amount`` is None while a line is missing."""

    amount: Decimal | None
    known: Decimal
    missing: int
    change: Decimal | None


def statement_lines(content: RunContent, participant_id: str, charges: Charges) -> list[StatementLine]:
    """The lines of one participant in the profile's order; lines that the new version dropped stand at 0.00."""
    now = {line.charge_code: line for line in content.lines.get(participant_id, ())}
    before = (
        None
        if content.previous is None
        else {line.charge_code: line for line in content.previous.get(participant_id, ())}
    )
    codes = sorted(now.keys() | (before or {}).keys(), key=charges.place)
    lines = [_line(now.get(code), before, code, charges.is_share(code)) for code in codes]
    if before is None:
        return lines
    if content.bridge is None:
        return [replace(line, causes=None) for line in lines]
    rows = content.bridge.rows.get(participant_id, {})
    return [replace(line, causes=_causes(rows.get(line.charge_code))) for line in lines]


def _causes(row: BridgeRow | None) -> tuple[tuple[str, Decimal], ...]:
    """The parts of a line, the largest first; parts of one size in the order of causes."""
    if row is None:
        return ()
    order = list(Cause)
    ordered = sorted(row.parts, key=lambda cause: (-abs(row.parts[cause]), order.index(cause)))
    return tuple((str(cause), yuan(row.parts[cause])) for cause in ordered)


def reason(line: StatementLine, labels: Labels) -> str:
    """原因: the causes of a line's difference by name, the largest first; what hides it where there is none."""
    if not line.moved:
        return ""
    if line.causes is None:
        return (
            labels("unattributed")
            if line.difference_cny or line.amount_cny is None
            else labels.of(MOVED, "unchanged")
        )
    if line.causes:
        return labels("list_comma").join(labels.of(CAUSES, cause) for cause, _ in line.causes)
    return labels.of(MOVED, "missing_now" if line.amount_cny is None else "unchanged")


def causes_of(lines: Iterable[StatementLine]) -> list[tuple[str, Decimal]]:
    """What every cause moved over the lines, the largest first."""
    sums: dict[str, Decimal] = {}
    for line in lines:
        for cause, amount in line.causes or ():
            sums[cause] = sums.get(cause, Decimal("0.00")) + amount
    return sorted(sums.items(), key=lambda one: -abs(one[1]))


def net_of(lines: Sequence[StatementLine], *, has_previous: bool) -> Net:
    """The participant's net; the change is None where a missing amount hides it or there is no previous run."""
    amounts = [line.amount_cny for line in lines]
    changes = [line.difference_cny for line in lines]
    return Net(
        total(amounts),
        known_total(amounts),
        sum(amount is None for amount in amounts),
        total(changes) if has_previous else None,
    )


def measured_share(lines: Iterable[LineRow | StatementLine]) -> Decimal | None:
    """The smallest share of measured energy on any line, None where no line has one."""
    return min((line.quality for line in lines if line.quality is not None), default=None)


def findings_by_participant(content: RunContent) -> dict[str, list[FindingRow]]:
    """Findings that concern a participant: by subject, by evidence, in its book, or behind its missing amounts.

    A finding about a retailer's customer concerns the retailer too, one about an agency user the grid company.
    A blocking finding about nobody in particular (a missing price) concerns everyone with a missing amount.
    """
    concerned: dict[str, list[FindingRow]] = {who: [] for who in content.lines}
    waiting = [who for who, rows in content.lines.items() if any(row.amount_cny is None for row in rows)]
    missing_code = {
        (who, row.charge_code) for who in waiting for row in content.lines[who] if row.amount_cny is None
    }
    for finding in content.findings:
        named = _named(finding, content.parties)
        named |= {content.books[who] for who in named if who in content.books}
        if finding.code == "missing_amount":
            # its evidence lists the first fifty participants only
            named |= {who for who in waiting if (who, finding.subject) in missing_code}
        elif not named and finding.severity == "block":
            named = set(waiting)
        for who in named & concerned.keys():
            concerned[who].append(finding)
    return concerned


def _named(finding: FindingRow, parties: Mapping[str, object]) -> set[str]:
    evidence = finding.evidence
    candidates = {finding.subject, *finding.subject.split("/"), evidence.get("participant_id")}
    listed = evidence.get("participants")
    candidates |= set(listed) if isinstance(listed, list) else set()
    return {who for who in candidates if isinstance(who, str) and who in parties}


def _line(
    now: LineRow | None, previous: Mapping[str, LineRow] | None, code: str, is_share: bool
) -> StatementLine:
    before = None if previous is None else previous.get(code)
    if now is None:
        assert before is not None  # noqa: S101  # a code comes from one of the two versions
        gone = None if before.amount_cny is None else -before.amount_cny
        return StatementLine(
            code, None, None, Decimal("0.00"), before.amount_cny, gone, "dropped_line", before.clause, None
        )
    difference = None
    earlier = None
    if previous is not None:
        earlier = Decimal("0.00") if before is None else before.amount_cny
        if earlier is not None and now.amount_cny is not None:
            difference = now.amount_cny - earlier
    return StatementLine(
        code,
        now.quantity_mwh,
        now.price_cny_per_mwh,
        now.amount_cny,
        earlier,
        difference,
        "" if previous is None else _moved(now, before, is_share),
        now.clause,
        now.quality,
    )


def _moved(now: LineRow, before: LineRow | None, is_share: bool) -> str:
    if now.amount_cny is None:
        return "missing_now"
    if before is None:
        return "new_line"
    if before.amount_cny is None:
        return "missing_before"
    quantity = now.quantity_mwh != before.quantity_mwh
    price = now.price_cny_per_mwh != before.price_cny_per_mwh
    if now.amount_cny == before.amount_cny and not quantity:
        return "unchanged"
    if quantity:
        return "quantity_and_price" if price else "quantity"
    return "share" if is_share or not price else "price"
