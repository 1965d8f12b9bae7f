"""The money of a statement: its lines, its days, what changed by cause, and what was entered by hand."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from market.money import yuan
from reports.bridge_text import CAUSES
from reports.content import known_total
from reports.labels import ADJUSTMENTS, MOVED
from reports.sheets import Book, Sheet, reference
from reports.statement_facts import Statement
from reports.statement_lines import reason
from settlement.bridge import Cause

HEAD = 3  # row of the column heads, from 0
FIRST = HEAD + 1
LINE_HEADS = (
    "subject_code",
    "charge",
    "quantity",
    "price",
    "amount",
    "previous_amount",
    "difference",
    "reason",
    "clause",
    "moved",
    "quality",
)
BRIDGE_HEADS = ("subject_code", "charge", "previous_amount", "amount", "difference", "check")
ADJUSTMENT_HEADS = (
    "adjustment_id",
    "charge",
    "payer",
    "payee",
    "amount",
    "adjustment_reason",
    "evidence",
    "entered_by",
    "approver",
    "valid_from",
    "valid_to",
    "adjustment_state",
)
HALF_A_FEN = "0.00500001"  # a line is its days rounded once; a day is a float with some 1e-9 of noise


@dataclass(frozen=True)
class LinesAt:
    """Where a charge's quantity stands on the sheet of lines, for the checks of other sheets."""

    sheet: str
    rows: dict[str, int]

    def quantity(self, charge_code: str) -> str:
        """The cell of a charge's quantity."""
        return reference(self.sheet, self.rows[charge_code], 2)


def lines_sheet(book: Book, what: Statement, stated: str) -> LinesAt:
    """科目明细: one row a charge, against the version before; the sum must be what the summary states."""
    labels, lines, charges = what.labels, what.lines, what.charges
    name = labels("sheet_lines")
    sheet = book.sheet(name, [22, 24, 17, 16, 17, 17, 16, 20, 36, 16, 9])
    sheet.title(f"{name}  {what.participant_id}  {what.content.head.month}", labels("sign_note"))
    sheet.head(HEAD, [labels(key) for key in LINE_HEADS])
    has_previous = what.content.previous is not None
    for row, line in enumerate(lines, FIRST):
        missing = line.amount_cny is None
        sheet.text(row, 0, charges.subject(line.charge_code))
        sheet.text(row, 1, charges.name(line.charge_code))
        sheet.maybe(row, 2, line.quantity_mwh, "energy", applies=missing or line.quantity_mwh is not None)
        sheet.maybe(
            row, 3, line.price_cny_per_mwh, "price", applies=missing or line.price_cny_per_mwh is not None
        )
        sheet.number(row, 4, line.amount_cny, "money")
        sheet.maybe(row, 5, line.previous_cny, "money", applies=has_previous)
        sheet.maybe(row, 6, line.difference_cny, "money", applies=has_previous)
        sheet.text(row, 7, reason(line, labels))
        sheet.text(row, 8, line.clause, "wrap")
        sheet.text(row, 9, labels.of(MOVED, line.moved))
        sheet.maybe(row, 10, line.quality, "share", applies=line.quality is not None)
    _line_totals(sheet, what, stated)
    return LinesAt(name, {line.charge_code: row for row, line in enumerate(lines, FIRST)})


def _line_totals(sheet: Sheet, what: Statement, stated: str) -> None:
    labels, lines = what.labels, what.lines
    last = FIRST + len(lines) - 1
    row = last + 1
    sheet.text(row, 0, labels("total"), "total")
    for column in (1, 2, 3, *range(7, len(LINE_HEADS))):
        sheet.blank(row, column, "total")
    known = known_total([line.amount_cny for line in lines])
    sums = [known]
    if what.content.previous is not None:
        before = known_total([line.previous_cny for line in lines])
        sums += [before, known_total([line.difference_cny for line in lines])]
    for offset in range(3):
        if offset < len(sums):
            sheet.sum(row, 4 + offset, FIRST, last, sums[offset], "total_money")
        else:
            sheet.blank(row, 4 + offset, "total")
    sheet.text(row + 1, 1, labels("check_lines"), "note")
    sheet.check(
        row + 1,
        4,
        f"SUM(E{FIRST + 1}:E{last + 1})-{stated}",
        2,
        known - what.net.known,
        "money",
        name=labels("check_lines"),
    )
    if len(sums) == 3 and what.net.change is not None:
        spans = ",".join(f"{column}{FIRST + 1}:{column}{last + 1}" for column in "EFG").split(",")
        sheet.text(row + 2, 1, labels("check_difference"), "note")
        sheet.check(
            row + 2,
            6,
            "-".join(f"SUM({span})" for span in spans),
            2,
            sums[0] - sums[1] - sums[2],
            "money",
            name=labels("check_difference"),
        )


def daily_sheet(book: Book, what: Statement) -> None:
    """分日: energy and unrounded money by day; at the foot what rounding the line once moved."""
    labels, daily = what.labels, what.daily
    sheet = book.sheet(labels("sheet_daily"), [12, *[17] * (2 * len(daily) + 1)])
    sheet.title(labels("sheet_daily"), labels("daily_note") if daily else labels("no_daily"))
    heads = [labels("date")]
    for column in daily:
        name = what.charges.name(column.charge_code)
        heads += [f"{name}\n{labels('quantity')}", f"{name}\n{labels('amount')}"]
    sheet.head(HEAD, [*heads, labels("day_total")] if daily else heads)
    sheet.worksheet.set_row(HEAD, 30)
    sheet.freeze(FIRST, 1)
    if not daily:
        return
    days = np.unique(np.concatenate([column.days for column in daily]))
    quantities, amounts = (np.zeros((len(days), len(daily))) for _ in range(2))
    stands = np.zeros((len(days), len(daily)), np.bool_)
    for place, column in enumerate(daily):
        rows = np.searchsorted(days, column.days)
        quantities[rows, place], amounts[rows, place] = column.quantity_mwh, column.amount_cny
        stands[rows, place] = True
    pairs = np.stack([quantities, amounts], axis=2).reshape(len(days), -1).tolist()
    for row, day in enumerate(days.tolist()):
        at = FIRST + row
        sheet.day(at, 0, day)
        if stands[row].all():
            sheet.numbers(at, 1, pairs[row], "energy", "exact")
        else:
            for place in range(len(daily)):
                for column in (2 * place, 2 * place + 1):
                    style = "exact" if column % 2 else "energy"
                    sheet.maybe(at, 1 + column, pairs[row][column], style, applies=bool(stands[row, place]))
        sheet.number(at, 1 + 2 * len(daily), amounts[row].sum(), "exact")
    _daily_totals(sheet, what, FIRST + len(days) - 1, (quantities, amounts))


def _daily_totals(
    sheet: Sheet, what: Statement, last: int, values: tuple[NDArray[np.float64], NDArray[np.float64]]
) -> None:
    """Total, the line it became, and live what rounding the line moved: never more than half a fen."""
    labels, daily = what.labels, what.daily
    amount_of = {line.charge_code: line.amount_cny for line in what.lines}
    for offset, key in enumerate(("total", "line_amount", "rounding"), 1):
        sheet.text(last + offset, 0, labels(key), "total")
    rounded = []
    for place, column in enumerate(daily):
        quantity, amount = (np.nansum(value[:, place]) for value in values)
        at = 2 + 2 * place
        sheet.sum(last + 1, at - 1, FIRST, last, quantity, "total_energy")
        sheet.sum(last + 1, at, FIRST, last, amount, "total_exact")
        stated = amount_of.get(column.charge_code)
        for row in (last + 2, last + 3):
            sheet.blank(row, at - 1, "total")
        sheet.number(last + 2, at, stated, "total_money")
        if stated is None:
            sheet.number(last + 3, at, None, "total_exact")
        else:
            moved = round(float(stated) - amount, 9) + 0.0
            rounded.append((sheet.less(last + 3, at, last + 2, last + 1, moved, "total_exact"), moved))
    whole = values[1].sum(axis=1)
    sheet.sum(last + 1, 1 + 2 * len(daily), FIRST, last, np.nansum(whole), "total_exact")
    if rounded:
        sheet.text(last + 4, 0, labels("check"), "key")
        sheet.text(last + 4, 1, labels("check_rounding"), "note")
        sheet.check(
            last + 4,
            1 + 2 * len(daily),
            "+".join(f"(ABS({cell})>{HALF_A_FEN})" for cell, _ in rounded),
            0,
            sum(abs(moved) > float(HALF_A_FEN) for _, moved in rounded),
            "integer",
            name=labels("check_rounding"),
        )


def bridge_sheet(book: Book, what: Statement) -> None:
    """差异桥: every line that changed with its parts by cause; the parts add up to the difference, live."""
    labels, content = what.labels, what.content
    assert content.bridge is not None  # noqa: S101  # the caller looked
    causes = list(Cause)
    sheet = book.sheet(labels("sheet_bridge"), [28, 26, 18, 18, 16, 10, *[16] * len(causes)])
    sheet.title(
        f"{labels('sheet_bridge')}  {content.head.previous_alias} → {content.head.alias}",
        labels("bridge_note"),
    )
    heads = [labels(key) for key in BRIDGE_HEADS] + [labels.of(CAUSES, cause) for cause in causes]
    sheet.head(HEAD, heads)
    sheet.freeze(FIRST, 2)
    rows = content.bridge.rows.get(what.participant_id, {})
    changed = sorted(rows.values(), key=lambda row: what.charges.place(row.charge_code))
    parts = len(BRIDGE_HEADS), len(heads) - 1
    for row, one in enumerate(changed, FIRST):
        sheet.text(row, 0, what.charges.subject(one.charge_code))
        sheet.text(row, 1, what.charges.name(one.charge_code))
        for column, fen in ((2, one.before_fen), (3, one.after_fen)):
            sheet.maybe(row, column, None if fen is None else yuan(fen), "money", applies=fen is not None)
        sheet.number(row, 4, yuan(one.difference_fen), "money")
        left = one.difference_fen - sum(one.parts.values())
        sheet.check(row, 5, f"E{row + 1}-{sheet.span(row, *parts)}", 2, yuan(left), "money")
        for column, cause in enumerate(causes, parts[0]):
            sheet.number(row, column, yuan(one.parts.get(cause, 0)), "money")
    if not changed:
        sheet.text(FIRST, 0, labels("nothing_changed"), "note")
        return
    last = FIRST + len(changed) - 1
    sheet.text(last + 1, 0, labels("total"), "total")
    for column in (1, 2, 3):
        sheet.blank(last + 1, column, "total")
    whole = sum(one.difference_fen for one in changed)
    of_cause = [sum(one.parts.get(cause, 0) for one in changed) for cause in causes]
    sheet.sum(last + 1, 4, FIRST, last, yuan(whole), "total_money")
    for column, fen in enumerate(of_cause, parts[0]):
        sheet.sum(last + 1, column, FIRST, last, yuan(fen), "total_money")
    sheet.check(
        last + 1,
        5,
        f"E{last + 2}-{sheet.span(last + 1, *parts)}",
        2,
        yuan(whole - sum(of_cause)),
        "total_money",
        name=labels("check_bridge"),
    )


def adjustments_sheet(book: Book, what: Statement) -> None:
    """人工调整: every adjustment that names the participant, with reason, evidence, approver and end."""
    labels, content = what.labels, what.content
    sheet = book.sheet(labels("sheet_adjustments"), [16, 22, 24, 24, 16, 40, 30, 12, 12, 12, 12, 20])
    sheet.title(labels("sheet_adjustments"), labels("adjustments_note"))
    sheet.head(HEAD, [labels(key) for key in ADJUSTMENT_HEADS])
    posted = Decimal("0.00")
    for row, one in enumerate(what.adjustments, FIRST):
        sign = 1 if one.payer_id == what.participant_id else -1
        amount = sign * one.amount_cny
        posted += amount if one.state != "refused" else 0
        sheet.text(row, 0, one.adjustment_id)
        sheet.text(row, 1, what.charges.name(one.charge_code))
        for column, who in ((2, one.payer_id), (3, one.payee_id)):
            party = content.parties.get(who)
            sheet.text(row, column, f"{who} {party.name or ''}".strip() if party else who)
        sheet.number(row, 4, amount, "money")
        for column, text in enumerate((one.reason, one.evidence, one.entered_by, one.approver), 5):
            sheet.text(row, column, text, "wrap")
        sheet.day(row, 9, one.valid_from)
        sheet.day(row, 10, one.valid_to)
        sheet.text(row, 11, labels.of(ADJUSTMENTS, one.state))
    last = FIRST + len(what.adjustments)
    sheet.text(last, 0, labels("adjustments_posted"), "total")
    for column in (*range(1, 4), *range(5, len(ADJUSTMENT_HEADS))):
        sheet.blank(last, column, "total")
    sheet.number(last, 4, posted, "total_money")
