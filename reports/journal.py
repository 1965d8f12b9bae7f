"""会计凭证: the postings of a run as journal entries by ledger account and subject code, CSV and xlsx.

Grain: one row a posting. Debit and credit are whole fen, never both; over a journal they are equal, to the fen.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from io import StringIO

from market.money import yuan
from market.periods import Month
from reports.labels import Labels
from reports.lines_csv import BOM, inert
from reports.sheets import Book

HEADS = {
    "period": ("记账期间", "Period"),
    "source_month": ("所属月份", "Source month"),
    "entry": ("凭证类型", "Entry"),
    "run_alias": ("批次", "Run"),
    "version": ("版本", "Version"),
    "run_id": ("批次号", "Run id"),
    "account_code": ("会计科目", "Account"),
    "account_name": ("科目名称", "Account name"),
    "subject_code": ("结算科目编码", "Subject code"),
    "charge_code": ("结算科目", "Charge"),
    "participant_id": ("主体", "Participant"),
    "debit_fen": ("借方金额", "Debit"),
    "credit_fen": ("贷方金额", "Credit"),
    "posting_id": ("分录号", "Posting"),
}
WIDTHS = (10, 10, 12, 22, 6, 38, 10, 28, 14, 28, 16, 16, 16, 38)
SHEETS = {"zh": ("凭证", "科目汇总"), "en": ("Journal", "By account")}


class JournalNotBalancedError(AssertionError):
    """Debits and credits of a journal differ; nothing is written."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One posting; ``period`` is the month it is booked in, ``entry`` accrual, actual or correction."""

    period: str
    source_month: str
    entry: str
    run_alias: str
    version: int
    run_id: str
    account_code: str
    account_name: str
    subject_code: str
    charge_code: str
    participant_id: str
    debit_fen: int
    credit_fen: int
    posting_id: str


def balanced(entries: Sequence[Entry]) -> Sequence[Entry]:
    """The entries. Raises JournalNotBalancedError where debits are not credits."""
    gap = sum(one.debit_fen - one.credit_fen for one in entries)
    if gap:
        raise JournalNotBalancedError(
            f"The journal does not balance: debits exceed credits by {yuan(gap)}. The run's postings were changed or a "
            "part of them was left out; verify the run."
        )
    return entries


def journal_csv(entries: Sequence[Entry], lang: str) -> bytes:
    """UTF-8 with BOM, CRLF; an empty side is empty, not zero."""
    column = 0 if lang == "zh" else 1
    out = StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([HEADS[one.name][column] for one in fields(Entry)])
    for one in balanced(entries):
        writer.writerow([_cell(name, getattr(one, name)) for name in HEADS])
    return (BOM + out.getvalue()).encode("utf-8")


def journal_workbook(entries: Sequence[Entry], month: Month, title: str, labels: Labels) -> bytes:
    """The journal, and its sums by ledger account with a live check that debits equal credits."""
    lang, column = labels.lang, 0 if labels.lang == "zh" else 1
    book = Book(title, month.after, labels)
    names = [HEADS[one.name][column] for one in fields(Entry)]
    sheet = book.sheet(SHEETS[lang][0], WIDTHS)
    sheet.title(title)
    sheet.head(2, names)
    for row, one in enumerate(balanced(entries), 3):
        for place, name in enumerate(HEADS):
            value = getattr(one, name)
            if name not in ("debit_fen", "credit_fen"):
                sheet.text(row, place, str(value))
            elif value:
                sheet.number(row, place, yuan(value), "money")
            else:
                sheet.blank(row, place)
    _by_account(book, entries, SHEETS[lang][1], column)
    return book.finish()


def _by_account(book: Book, entries: Sequence[Entry], name: str, column: int) -> None:
    sums: Mapping[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for one in entries:
        both = sums[one.account_code, one.account_name]
        both[0] += one.debit_fen
        both[1] += one.credit_fen
    sheet = book.sheet(name, (12, 34, 18, 18, 18))
    sheet.title(name)
    sheet.head(2, [HEADS[key][column] for key in ("account_code", "account_name", "debit_fen", "credit_fen")])
    first = 3
    for row, ((code, account), (debit, credit)) in enumerate(sorted(sums.items()), first):
        sheet.text(row, 0, code)
        sheet.text(row, 1, account)
        sheet.number(row, 2, yuan(debit), "money")
        sheet.number(row, 3, yuan(credit), "money")
    last = first + max(len(sums), 1) - 1
    total = last + 1
    sheet.text(total, 0, ("合计", "Total")[column], "total")
    sheet.blank(total, 1, "total")
    for place in (0, 1):
        value = yuan(sum(both[place] for both in sums.values()))
        sheet.sum(total, 2 + place, first, last, value, "total_money")
    sheet.text(total + 1, 0, ("借贷差", "Debit less credit")[column], "key")
    sheet.check(total + 1, 2, f"C{total + 1}-D{total + 1}", 2, 0, "money")


def _cell(name: str, value: object) -> object:
    if name in ("debit_fen", "credit_fen"):
        return yuan(value) if isinstance(value, int) and value else ""
    return inert(value) if isinstance(value, str) else value
