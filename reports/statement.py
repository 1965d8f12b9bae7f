"""A participant's statement (结算单) as an xlsx workbook: six sheets, live checks, no macros (users.md 4.1, 4.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from market.money import IntArray
from market.periods import LABELS, PERIODS
from reports.content import Charges, DailyColumn, FindingRow, Party, RunContent, known_total, megawatt_hours
from reports.labels import (
    CITIES,
    FINDINGS,
    KINDS,
    REASONS,
    RUN_KINDS,
    SEVERITIES,
    STATUSES,
    Labels,
)
from reports.sheets import Book, Sheet, reference
from reports.statement_lines import Net, StatementLine, measured_share, net_of, statement_lines

KIND_LETTER = {"draft": "D", "final": "F", "correction": "C"}
TOP_CHANGES = 5
LINES_HEAD = 3  # row of the column heads on the sheet of lines, from 0
CURVE_HEAD = 3
NET_COLUMN = 1
ZERO = Decimal("0.00")


@dataclass(frozen=True)
class Curve:
    """Metered energy by day: (days, 96) Wh, MISSING where missing; estimated: day -> Wh that was not measured."""

    days: tuple[date, ...]
    energy: IntArray
    estimated: Mapping[date, int] = field(default_factory=dict)


def statement_number(content: RunContent, participant_id: str) -> str:
    """Month, participant, kind and version: 202207-W0001-D1."""
    head = content.head
    letter = KIND_LETTER.get(head.kind, head.kind)
    return f"{str(head.month).replace('-', '')}-{participant_id}-{letter}{head.version}"


def statement(
    content: RunContent,
    participant_id: str,
    curve: Curve | None,
    findings: Sequence[FindingRow],
    labels: Labels,
) -> bytes:
    """The workbook's bytes; the same run gives the same bytes. curve: None where nothing is metered."""
    charges = Charges(content.matrix, labels)
    party = content.parties.get(participant_id) or Party(participant_id)
    lines = statement_lines(content, participant_id, charges)
    net = net_of(lines, has_previous=content.previous is not None)
    number = statement_number(content, participant_id)
    book = Book(f"{labels('statement')} {number}", content.head.month.after, labels("missing"))
    stated = _summary(book, content, party, lines, net, findings, charges, labels)
    _lines(book, content, party, lines, net, stated, charges, labels)
    daily = sorted(content.daily.of(participant_id), key=lambda column: charges.place(column.charge_code))
    _daily(book, daily, lines, charges, labels)
    _curve(book, curve, lines, charges, labels)
    _findings(book, findings, curve, measured_share(lines), labels)
    versions_sheet(book, content, labels)
    return book.finish()


def _summary(
    book: Book,
    content: RunContent,
    party: Party,
    lines: Sequence[StatementLine],
    net: Net,
    findings: Sequence[FindingRow],
    charges: Charges,
    labels: Labels,
) -> str:
    """The first sheet; returns the reference of the cell that states the sum of known lines."""
    head, name = content.head, labels("sheet_summary")
    sheet = book.sheet(name, [24, 66, 18, 18])
    sheet.title(f"{labels('statement')}  {head.month}", labels("sign_note"))
    sheet.freeze(2)
    texts = [
        ("statement_no", statement_number(content, party.participant_id)),
        ("participant_id", party.participant_id),
        ("participant_name", party.name),
        ("participant_kind", labels.of(KINDS, party.kind)),
        ("city", labels.of(CITIES, party.city)),
        ("month", str(head.month)),
        ("run_alias", head.alias),
        ("run_kind", labels.of(RUN_KINDS, head.kind)),
        ("status", labels.of(STATUSES, head.status)),
        ("previous_version", head.previous_alias or labels("none")),
        ("run_id", head.run_id),
        ("fingerprint", head.fingerprint),
        ("profile", f"{head.manifest['profile']}  {head.manifest['profile_sha256']}"),
        *head.hands,
        ("log_anchor", head.anchor or labels("none")),
    ]
    row = 3
    for key, value in texts:
        sheet.text(row, 0, labels(key), "key")
        sheet.text(row, NET_COLUMN, value)
        row += 1
    row += 1
    sheet.text(row, 0, labels("net_amount"), "key")
    sheet.number(row, NET_COLUMN, net.amount, "total_money")
    stated = reference(name, row, NET_COLUMN)
    if net.missing:
        row += 1
        sheet.text(row, 0, labels("known_amount"), "key")
        sheet.number(row, NET_COLUMN, net.known, "money")
        stated = reference(name, row, NET_COLUMN)
        row += 1
        sheet.text(row, 0, labels("missing_lines"), "key")
        sheet.number(row, NET_COLUMN, net.missing, "integer")
    row += 1
    sheet.text(row, 0, labels("change"), "key")
    if content.previous is None:
        sheet.text(row, NET_COLUMN, labels("none"))
    else:
        sheet.number(row, NET_COLUMN, net.change, "money")
    row += 1
    sheet.text(row, 0, labels("measured_share"), "key")
    share = measured_share(lines)
    if share is None:
        sheet.text(row, NET_COLUMN, labels("none"))
    else:
        sheet.number(row, NET_COLUMN, share, "share")
    row += 1
    sheet.text(row, 0, labels("open_findings"), "key")
    sheet.text(row, NET_COLUMN, _finding_counts(findings, labels))
    row = _top_changes(sheet, row + 2, lines, charges, labels)
    for column, key in enumerate(("prepared_by", "reviewed_by", "approved_by")):
        sheet.text(row + 1, column, labels(key), "note")
    return stated


def _finding_counts(findings: Sequence[FindingRow], labels: Labels) -> str:
    counts = [
        f"{labels.of(SEVERITIES, severity)} {count}"
        for severity in SEVERITIES
        if (count := sum(finding.severity == severity for finding in findings))
    ]
    return ", ".join(counts) or labels("none")


def _top_changes(
    sheet: Sheet, row: int, lines: Sequence[StatementLine], charges: Charges, labels: Labels
) -> int:
    changed = sorted(
        (line for line in lines if line.difference_cny),
        key=lambda line: abs(line.difference_cny or ZERO),
        reverse=True,
    )[:TOP_CHANGES]
    if not changed:
        return row
    for column, key in enumerate(("top_changes", "reason", "difference", "amount")):
        sheet.text(row, column, labels(key), "key")
    for line in changed:
        row += 1
        sheet.text(row, 0, charges.name(line.charge_code))
        sheet.text(row, 1, labels.of(REASONS, line.reason))
        sheet.number(row, 2, line.difference_cny, "money")
        sheet.number(row, 3, line.amount_cny, "money")
    return row + 2


def _lines(
    book: Book,
    content: RunContent,
    party: Party,
    lines: Sequence[StatementLine],
    net: Net,
    stated: str,
    charges: Charges,
    labels: Labels,
) -> None:
    sheet = book.sheet(labels("sheet_lines"), [28, 26, 18, 18, 18, 18, 16, 16, 50])
    sheet.title(f"{labels('sheet_lines')}  {party.participant_id}  {content.head.month}", labels("sign_note"))
    keys = (
        "subject_code",
        "charge",
        "quantity",
        "price",
        "amount",
        "previous_amount",
        "difference",
        "reason",
    )
    sheet.head(LINES_HEAD, [labels(key) for key in (*keys, "clause")])
    has_previous = content.previous is not None
    first = LINES_HEAD + 1
    for row, line in enumerate(lines, first):
        sheet.text(row, 0, charges.subject(line.charge_code))
        sheet.text(row, 1, charges.name(line.charge_code))
        missing = line.amount_cny is None
        _or_blank(
            sheet, row, 2, line.quantity_mwh, "energy", applies=missing or line.quantity_mwh is not None
        )
        _or_blank(
            sheet,
            row,
            3,
            line.price_cny_per_mwh,
            "price",
            applies=line.price_cny_per_mwh is not None or missing,
        )
        sheet.number(row, 4, line.amount_cny, "money")
        _or_blank(sheet, row, 5, line.previous_cny, "money", applies=has_previous)
        _or_blank(sheet, row, 6, line.difference_cny, "money", applies=has_previous)
        sheet.text(row, 7, labels.of(REASONS, line.reason))
        sheet.text(row, 8, line.clause)
    last = first + len(lines) - 1
    row = last + 1
    sheet.text(row, 0, labels("total"), "total")
    for column in (1, 2, 3, 7, 8):
        sheet.blank(row, column, "total")
    sums = [known_total([line.amount_cny for line in lines])]
    if has_previous:
        sums += [
            known_total([line.previous_cny for line in lines]),
            known_total([line.difference_cny for line in lines]),
        ]
    for offset in range(3):
        if offset < len(sums):
            sheet.sum(row, 4 + offset, first, last, sums[offset], "total_money")
        else:
            sheet.blank(row, 4 + offset, "total")
    sheet.text(row + 1, 1, labels("check_lines"), "note")
    sheet.check(row + 1, 4, f"SUM(E{first + 1}:E{last + 1})-{stated}", 2, sums[0] - net.known, "money")


def _or_blank(
    sheet: Sheet, row: int, column: int, value: Decimal | None, style: str, *, applies: bool
) -> None:
    if applies:
        sheet.number(row, column, value, style)
    else:
        sheet.blank(row, column)


def _daily(
    book: Book,
    daily: Sequence[DailyColumn],
    lines: Sequence[StatementLine],
    charges: Charges,
    labels: Labels,
) -> None:
    sheet = book.sheet(labels("sheet_daily"), [12, *[17] * (2 * len(daily) + 1)])
    sheet.title(labels("sheet_daily"), labels("daily_note") if daily else labels("no_daily"))
    heads = [labels("date")]
    for column in daily:
        name = charges.name(column.charge_code)
        heads += [f"{name}\n{labels('quantity')}", f"{name}\n{labels('amount')}"]
    sheet.head(3, [*heads, labels("day_total")] if daily else heads)
    sheet.worksheet.set_row(3, 30)
    sheet.freeze(4, 1)
    if not daily:
        return
    days = np.unique(np.concatenate([column.days for column in daily]))
    quantities, amounts = (np.zeros((len(days), len(daily))) for _ in range(2))
    stands = np.zeros((len(days), len(daily)), np.bool_)
    for place, column in enumerate(daily):
        rows = np.searchsorted(days, column.days)
        quantities[rows, place], amounts[rows, place] = column.quantity_mwh, column.amount_cny
        stands[rows, place] = True
    first, last, width = 4, 3 + len(days), len(daily)
    for row, day in enumerate(days.tolist(), first):
        sheet.day(row, 0, day)
        for place in range(width):
            if stands[row - first, place]:
                sheet.number(row, 1 + 2 * place, quantities[row - first, place], "energy")
                sheet.number(row, 2 + 2 * place, amounts[row - first, place], "exact")
            else:
                sheet.blank(row, 1 + 2 * place)
                sheet.blank(row, 2 + 2 * place)
        sheet.number(row, 1 + 2 * width, amounts[row - first].sum(), "exact")
    _daily_totals(sheet, daily, lines, (first, last), (quantities, amounts), labels)


def _daily_totals(
    sheet: Sheet,
    daily: Sequence[DailyColumn],
    lines: Sequence[StatementLine],
    rows: tuple[int, int],
    values: tuple[NDArray[np.float64], NDArray[np.float64]],
    labels: Labels,
) -> None:
    """Total, the line it became, and what rounding the line moved."""
    first, last = rows
    amount_of = {line.charge_code: line.amount_cny for line in lines}
    for offset, key in enumerate(("total", "line_amount", "rounding"), 1):
        sheet.text(last + offset, 0, labels(key), "total")
    for place, column in enumerate(daily):
        quantity, amount = (np.nansum(value[:, place]) for value in values)
        at = 2 + 2 * place
        sheet.sum(last + 1, at - 1, first, last, quantity, "total_energy")
        sheet.sum(last + 1, at, first, last, amount, "total_exact")
        stated = amount_of.get(column.charge_code)
        for row in (last + 2, last + 3):
            sheet.blank(row, at - 1, "total")
        sheet.number(last + 2, at, stated, "total_money")
        sheet.number(
            last + 3, at, None if stated is None else round(float(stated) - amount, 9) + 0.0, "total_exact"
        )
    whole = values[1].sum(axis=1)
    sheet.sum(last + 1, 1 + 2 * len(daily), first, last, np.nansum(whole), "total_exact")


def _curve(
    book: Book, curve: Curve | None, lines: Sequence[StatementLine], charges: Charges, labels: Labels
) -> None:
    sheet = book.sheet(labels("sheet_curve"), [12, *[11] * PERIODS, 16], pages_wide=4)
    sheet.title(labels("sheet_curve"), labels("curve_note") if curve else labels("curve_none"))
    sheet.head(CURVE_HEAD - 1, [labels("start"), "00:00", *LABELS[:-1], labels("day_total")])
    sheet.head(CURVE_HEAD, [labels("end"), *LABELS, ""])
    sheet.freeze(CURVE_HEAD + 1, 1)
    if curve is None:
        return
    energy = megawatt_hours(curve.energy)
    complete = ~np.isnan(energy.sum(axis=1))
    first = CURVE_HEAD + 1
    for row, (day, values) in enumerate(zip(curve.days, energy, strict=True), first):
        sheet.day(row, 0, day)
        sheet.numbers(row, 1, values.tolist(), "energy")
        if complete[row - first]:
            sheet.row_sum(row, 1, PERIODS, 1 + PERIODS, round(values.sum(), 6), "energy")
        else:
            sheet.number(row, 1 + PERIODS, None, "energy")
    last = first + len(curve.days) - 1
    whole = round(float(energy[complete].sum()), 6)
    sheet.text(last + 1, 0, labels("total"), "total")
    sheet.sum(last + 1, 1 + PERIODS, first, last, whole, "total_energy")
    metered = [line for line in lines if charges.is_metered_month(line.charge_code)]
    if metered and metered[0].quantity_mwh is not None:
        column, stated = 1 + PERIODS, metered[0].quantity_mwh
        sheet.text(last + 2, 0, labels("check"), "key")
        sheet.text(last + 2, 1, labels("check_energy"), "note")
        where = reference(labels("sheet_lines"), LINES_HEAD + 1 + lines.index(metered[0]), 2)
        span = reference(labels("sheet_curve"), last + 1, column).split("!")[1]
        sheet.check(last + 2, column, f"{span}-{where}", 6, whole - float(stated), "energy")


def _findings(
    book: Book, findings: Sequence[FindingRow], curve: Curve | None, share: Decimal | None, labels: Labels
) -> None:
    sheet = book.sheet(labels("sheet_findings"), [14, 20, 24, 90, 18])
    note = "" if share is None else f"{labels('measured_share')}: {share:.2%}. "
    sheet.title(labels("sheet_findings"), note if findings else note + labels("no_findings"))
    keys = ("severity", "finding_name", "finding_subject", "sentence", "at_stake")
    sheet.head(3, [labels(key) for key in keys])
    row = 4
    for finding in findings:
        sheet.text(row, 0, labels.of(SEVERITIES, finding.severity), "wrap")
        sheet.text(row, 1, labels.of(FINDINGS, finding.code), "wrap")
        sheet.text(row, 2, finding.subject, "wrap")
        sheet.text(row, 3, finding.sentence, "wrap")
        at_stake = finding.amount_at_stake_cny
        _or_blank(sheet, row, 4, at_stake, "money", applies=at_stake is not None)
        row += 1
    if curve is None or not curve.estimated:
        return
    row += 1
    sheet.head(row, [labels("date"), labels("estimated_energy")], freeze=False)
    first = row + 1
    for day, wh in sorted(curve.estimated.items()):
        row += 1
        sheet.day(row, 0, day)
        sheet.number(row, 1, Decimal(wh).scaleb(-6), "energy")
    sheet.text(row + 1, 0, labels("total"), "total")
    whole = Decimal(sum(curve.estimated.values())).scaleb(-6)
    sheet.sum(row + 1, 1, first, row, whole, "total_energy")


def versions_sheet(book: Book, content: RunContent, labels: Labels) -> None:
    """Run, rules and software, and the hash of every file that went in and came out."""
    head = content.head
    sheet = book.sheet(labels("sheet_versions"), [70, 12, 70])
    sheet.title(labels("sheet_versions"), labels("printed_from"))
    sheet.head(3, [labels("file"), labels("rows"), "sha256"])
    facts = [
        ("run_alias", head.alias),
        ("run_id", head.run_id),
        ("fingerprint", head.fingerprint),
        ("previous_version", head.manifest["previous"] or labels("none")),
        ("profile", f"{head.manifest['profile']} {head.manifest['profile_sha256']}"),
        ("software", head.manifest["software_version"]),
        ("as_of", head.manifest["as_of"] or ""),
    ]
    row = 4
    for key, value in facts:
        sheet.text(row, 0, labels(key), "key")
        sheet.blank(row, 1)
        sheet.text(row, 2, str(value))
        row += 1
    for key in ("outputs", "inputs"):
        sheet.text(row, 0, labels(key), "total")
        sheet.blank(row, 1, "total")
        sheet.blank(row, 2, "total")
        row += 1
        for entry in head.manifest[key]:
            sheet.text(row, 0, entry["path"])
            sheet.number(row, 1, entry["rows"], "integer")
            sheet.text(row, 2, entry["sha256"])
            row += 1
