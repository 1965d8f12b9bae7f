"""The first sheet of a statement (汇总): whose it is, what is owed, why it changed, what is open, and every check."""

from __future__ import annotations

from dataclasses import dataclass

from reports.bridge_text import CAUSES
from reports.labels import FINDINGS
from reports.sheets import Book, Sheet, reference
from reports.statement_facts import TOP, Statement
from reports.statement_lines import reason

HEAD = 3  # first row of facts, from 0


@dataclass
class Summary:
    """The sheet while the others are written: ``stated`` is the cell of the sum of known lines."""

    book: Book
    sheet: Sheet
    stated: str
    row: int
    what: Statement

    def checks(self) -> None:
        """Every check cell of the workbook again, with its verdict; the last thing to be written."""
        labels, sheet = self.what.labels, self.sheet
        row = self.row
        for column, key in enumerate(("checks", "check", "difference", "holds")):
            sheet.text(row, column, labels(key), "key")
        for check in self.book.checks:
            row += 1
            sheet.text(row, 0, check.sheet)
            sheet.text(row, 1, check.name)
            sheet.same(row, 2, check.cell, check.value)
            sheet.verdict(row, 3, check)
        row += 3
        for column, key in enumerate(("prepared_by", "reviewed_by", "approved_by")):
            sheet.text(row, column, labels(key), "note")


def summary_sheet(book: Book, what: Statement) -> Summary:
    """Writes all but the checks, which the other sheets bring."""
    labels, net = what.labels, what.net
    name = labels("sheet_summary")
    sheet = book.sheet(name, [24, 70, 18, 18])
    sheet.title(f"{labels('statement')}  {what.content.head.month}", labels("sign_note"))
    sheet.freeze(2)
    row = HEAD
    for key, text in what.head():
        sheet.text(row, 0, key, "key")
        sheet.text(row, 1, text)
        row += 1
    row += 1
    sheet.text(row, 0, labels("net_amount"), "key")
    sheet.number(row, 1, net.amount, "total_money")
    stated = reference(name, row, 1)
    if net.missing:
        row += 1
        sheet.text(row, 0, labels("known_amount"), "key")
        sheet.number(row, 1, net.known, "money")
        stated = reference(name, row, 1)
        row += 1
        sheet.text(row, 0, labels("missing_lines"), "key")
        sheet.number(row, 1, net.missing, "integer")
    row = _figures(sheet, row + 1, what)
    row = _reasons(sheet, row + 1, what)
    row = _open_findings(sheet, row, what)
    return Summary(book, sheet, stated, row, what)


def _figures(sheet: Sheet, row: int, what: Statement) -> int:
    labels = what.labels
    sheet.text(row, 0, labels("change"), "key")
    if what.content.previous is None:
        sheet.text(row, 1, labels("none"))
    else:
        sheet.number(row, 1, what.net.change, "money")
    for key, share in (
        ("measured_share", what.measured),
        ("estimated_share", None if what.measured is None else 1 - what.measured),
    ):
        row += 1
        sheet.text(row, 0, labels(key), "key")
        if share is None:
            sheet.text(row, 1, labels("none"))
        else:
            sheet.number(row, 1, share, "share")
    count, amount = what.by_hand
    for key, value, style in (("manual_count", count, "integer"), ("manual_amount", amount, "money")):
        row += 1
        sheet.text(row, 0, labels(key), "key")
        sheet.number(row, 1, value, style)
    row += 1
    sheet.text(row, 0, labels("open_findings"), "key")
    sheet.text(row, 1, what.open_count())
    return row + 1


def _reasons(sheet: Sheet, row: int, what: Statement) -> int:
    labels, content = what.labels, what.content
    if content.previous is None:
        return row
    if content.bridge is None:
        sheet.text(row, 0, labels("unattributed"), "key")
        sheet.text(row, 1, content.unbridged, "wrap")
        row += 2
    elif what.causes:
        sheet.text(row, 0, labels("top_reasons"), "key")
        sheet.text(row, 1, labels("cause_brought"), "key")
        sheet.text(row, 2, labels("difference"), "key")
        for cause, amount in what.causes[:TOP]:
            row += 1
            came, gone = content.bridge.brought.get(cause, ((), ()))
            sheet.text(row, 0, labels.of(CAUSES, cause))
            sheet.text(row, 1, _brought(came, gone), "wrap")
            sheet.number(row, 2, amount, "money")
        row += 2
    if what.largest_changes:
        for column, key in enumerate(("top_changes", "reason", "difference", "amount")):
            sheet.text(row, column, labels(key), "key")
        for line in what.largest_changes:
            row += 1
            sheet.text(row, 0, what.charges.name(line.charge_code))
            sheet.text(row, 1, reason(line, labels))
            sheet.number(row, 2, line.difference_cny, "money")
            sheet.number(row, 3, line.amount_cny, "money")
        row += 2
    return row


def _brought(came: tuple[str, ...], gone: tuple[str, ...]) -> str:
    files = [f"+ {name}" for name in came] + [f"− {name}" for name in gone]
    shown = "  ".join(files[:TOP])
    return f"{shown}  … ({len(files)})" if len(files) > TOP else shown


def _open_findings(sheet: Sheet, row: int, what: Statement) -> int:
    labels, found = what.labels, what.open_findings()
    if not found:
        return row
    for column, key in enumerate(("open_listed", "sentence", "at_stake")):
        sheet.text(row, column, labels(key), "key")
    for one in found[:TOP]:
        row += 1
        sheet.text(row, 0, labels.of(FINDINGS, one.code), "wrap")
        sheet.text(row, 1, labels.sentence(one.code, one.sentence), "wrap")
        if one.amount_at_stake_cny is None:
            sheet.blank(row, 2)
        else:
            sheet.number(row, 2, one.amount_at_stake_cny, "money")
    return row + 2
