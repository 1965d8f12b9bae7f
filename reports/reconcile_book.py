"""A reconciliation as a workbook (summary, differences, findings, all comparisons) and as CSV with BOM."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from io import StringIO

from market.money import yuan
from market.periods import Month
from market.profiles import ChargeMatrix
from reports.content import Charges
from reports.labels import FINDINGS, SEVERITIES, Labels
from reports.lines_csv import BOM, inert
from reports.reconcile_words import VERDICTS
from reports.sheets import Book, Sheet
from settlement.findings import Finding
from settlement.reconcile.compare import Compared, Verdict
from settlement.reconcile.patterns import Group

HEADS = (
    "participant_id",
    "participant_name",
    "city",
    "charge",
    "charge_code",
    "verdict",
    "our_quantity",
    "their_quantity",
    "our_amount",
    "their_amount",
    "their_difference",
    "partner",
)
WIDTHS = (12, 22, 8, 26, 26, 16, 16, 16, 18, 18, 18, 12)
TOP = 3


def reconcile_book(
    alias: str,
    month: Month,
    matrix: ChargeMatrix,
    names: Mapping[str, str],
    compared: Sequence[Compared],
    groups: Sequence[Group],
    findings: Sequence[Finding],
    labels: Labels,
) -> bytes:
    """The workbook; the same comparison gives the same bytes."""
    title = f"{labels('reconciliation')} {month}"
    book = Book(title, month.after, labels)
    _summary(book.sheet(labels("sheet_summary"), (30, 14, 22)), title, alias, compared, findings, labels)
    grouped = {(one.participant_id, one.subject) for group in groups for one in group.lines}
    differing = [
        one
        for one in compared
        if one.verdict is not Verdict.AGREES or (one.participant_id, one.subject) in grouped
    ]
    for sheet, rows in (("sheet_differences", differing), ("sheet_compared", compared)):
        _rows(book.sheet(labels(sheet), WIDTHS), title, rows, Charges(matrix, labels), names, labels)
    _findings(book.sheet(labels("sheet_findings"), (8, 26, 30, 8, 90, 18)), title, findings, labels)
    return book.finish()


def reconcile_csv(
    matrix: ChargeMatrix, names: Mapping[str, str], compared: Iterable[Compared], labels: Labels
) -> bytes:
    """All comparisons, UTF-8 with BOM, CRLF."""
    charges, out = Charges(matrix, labels), StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([labels(head) for head in HEADS])
    for one in compared:
        writer.writerow(
            [
                inert(one.participant_id),
                inert(names.get(one.participant_id, "")),
                inert(labels.city(one.city)) if one.city else "",
                charges.name(one.subject),
                one.subject,
                labels.of(VERDICTS, one.verdict),
                *("" if value is None else value for value in _numbers(one)),
                inert(one.partner or ""),
            ]
        )
    return (BOM + out.getvalue()).encode("utf-8")


def _summary(
    sheet: Sheet,
    title: str,
    alias: str,
    compared: Sequence[Compared],
    findings: Sequence[Finding],
    labels: Labels,
) -> None:
    sheet.title(f"{title} · {alias}", labels("compared_note"))
    sheet.head(TOP - 1, [labels("verdict"), labels("compared_lines"), labels("at_stake")])
    counts = Counter(one.verdict for one in compared)
    stakes: Counter[Verdict] = Counter()
    for one in compared:
        stakes[one.verdict] += 0 if one.verdict is Verdict.AGREES else abs(one.difference_fen)
    row = TOP
    for verdict in Verdict:
        if counts[verdict]:
            sheet.text(row, 0, labels.of(VERDICTS, verdict))
            sheet.number(row, 1, counts[verdict], "integer")
            sheet.number(row, 2, yuan(stakes[verdict]), "money")
            row += 1
    sheet.text(row, 0, labels("total"), "total")
    sheet.sum(row, 1, TOP, row - 1, len(compared), "total")
    sheet.sum(row, 2, TOP, row - 1, yuan(sum(stakes.values())), "total_money")
    row += 2
    for word in ("findings", "at_stake"):
        of = len(findings) if word == "findings" else None
        sheet.text(row, 0, labels(word), "key")
        if of is not None:
            sheet.number(row, 1, of, "integer")
        else:
            sheet.number(row, 2, yuan(sum(one.amount_at_stake_fen or 0 for one in findings)), "money")
        row += 1


def _rows(
    sheet: Sheet,
    title: str,
    compared: Sequence[Compared],
    charges: Charges,
    names: Mapping[str, str],
    labels: Labels,
) -> None:
    sheet.title(title, labels("compared_note"))
    sheet.head(TOP - 1, [labels(head) for head in HEADS])
    for row, one in enumerate(compared, TOP):
        words = (
            one.participant_id,
            names.get(one.participant_id, ""),
            labels.city(one.city) if one.city else "",
            charges.name(one.subject),
            one.subject,
            labels.of(VERDICTS, one.verdict),
        )
        for column, word in enumerate(words):
            sheet.text(row, column, word)
        for column, value in enumerate(_numbers(one), len(words)):
            style = "energy" if column < len(words) + 2 else "money"
            if value is None:
                sheet.blank(row, column, style)
            else:
                sheet.number(row, column, value, style)
        sheet.text(row, len(HEADS) - 1, one.partner)


def _findings(sheet: Sheet, title: str, findings: Sequence[Finding], labels: Labels) -> None:
    sheet.title(title, "")
    heads = ("severity", "finding_name", "finding_subject", "city", "sentence", "at_stake")
    sheet.head(TOP - 1, [labels(head) for head in heads])
    for row, one in enumerate(sorted(findings, key=lambda one: -(one.amount_at_stake_fen or 0)), TOP):
        words = (
            labels.of(SEVERITIES, one.severity),
            labels.of(FINDINGS, one.code),
            one.subject,
            labels.city(one.city),
        )
        for column, word in enumerate(words):
            sheet.text(row, column, word)
        sheet.text(row, 4, labels.sentence(one.code, one.sentence), "wrap")
        sheet.number(row, 5, yuan(one.amount_at_stake_fen or 0), "money")


def _numbers(one: Compared) -> tuple[Decimal | None, ...]:
    """Energy and money of both sides and their difference; None where a side has none."""
    return (
        None if one.our_wh is None else Decimal(one.our_wh).scaleb(-6),
        None if one.their_wh is None else Decimal(one.their_wh).scaleb(-6),
        None if one.our_fen is None else yuan(one.our_fen),
        None if one.their_fen is None else yuan(one.their_fen),
        yuan(one.difference_fen),
    )
