"""A participant's statement (结算单) as an xlsx workbook: live checks, no macros (users.md 4.1, 4.4).

Sheets that would be empty are left out: 计量点 without own meters, 差异桥 without a version before, 人工调整 without one.
Names and headings are frozen in ``data/reference/reports/statement.yaml``.
"""

from __future__ import annotations

from collections.abc import Sequence

from reports.content import FindingRow, RunContent
from reports.labels import Labels
from reports.metered import Metered
from reports.sheets import Book
from reports.statement_energy import curve_sheet, meters_sheet
from reports.statement_facts import Statement
from reports.statement_money import adjustments_sheet, bridge_sheet, daily_sheet, lines_sheet
from reports.statement_notes import findings_sheet, rules_sheet, versions_sheet
from reports.statement_summary import summary_sheet


def statement(
    content: RunContent,
    participant_id: str,
    metered: Metered | None,
    findings: Sequence[FindingRow],
    labels: Labels,
) -> bytes:
    """The workbook's bytes; the same run gives the same bytes. metered: None where nothing is metered."""
    return statement_workbook(Statement(content, participant_id, metered, findings, labels))


def statement_workbook(what: Statement) -> bytes:
    """The workbook of a statement that was worked out."""
    labels, content = what.labels, what.content
    book = Book(f"{labels('statement')} {what.number}", content.head.month.after, labels)
    summary = summary_sheet(book, what)
    lines = lines_sheet(book, what, summary.stated)
    daily_sheet(book, what)
    curve = curve_sheet(book, what, lines)
    if what.metered is not None and what.metered.meters:
        meters_sheet(book, what, curve)
    if content.bridge is not None:
        bridge_sheet(book, what)
    findings_sheet(book, what)
    if what.adjustments:
        adjustments_sheet(book, what)
    rules_sheet(book, what)
    versions_sheet(book, content, labels)
    summary.checks()
    return book.finish()
