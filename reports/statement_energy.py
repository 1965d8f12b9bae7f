"""The energy of a statement: 96 points a day with their live sums, and every own meter."""

from __future__ import annotations

import numpy as np

from market.periods import LABELS, PERIODS
from reports.content import megawatt_hours
from reports.labels import DIRECTIONS
from reports.sheets import Book, reference
from reports.statement_facts import Statement
from reports.statement_money import LinesAt

HEAD = 3
FIRST = HEAD + 1
METER_HEADS = (
    "meter_id",
    "multiplier",
    "direction",
    "days_read",
    "days_expected",
    "quantity",
    "estimated_energy",
    "quality",
)


def curve_sheet(book: Book, what: Statement, lines: LinesAt) -> str | None:
    """分时(96点): start and end of every quarter-hour above it; the reference of the month's sum, None without one."""
    labels = what.labels
    curve = None if what.metered is None else what.metered.curve
    name = labels("sheet_curve")
    sheet = book.sheet(name, [12, *[11] * PERIODS, 16], pages_wide=4)
    sheet.title(name, labels("curve_note") if curve else labels("curve_none"))
    sheet.head(HEAD - 1, [labels("start"), "00:00", *LABELS[:-1], labels("day_total")])
    sheet.head(HEAD, [labels("end"), *LABELS, ""])
    sheet.freeze(FIRST, 1)
    if curve is None:
        return None
    energy = megawatt_hours(curve.energy)
    complete = ~np.isnan(energy.sum(axis=1))
    for row, (day, values) in enumerate(zip(curve.days, energy, strict=True), FIRST):
        sheet.day(row, 0, day)
        sheet.numbers(row, 1, values.tolist(), "energy")
        if complete[row - FIRST]:
            sheet.row_sum(row, 1, PERIODS, 1 + PERIODS, round(values.sum(), 6), "energy")
        else:
            sheet.number(row, 1 + PERIODS, None, "energy")
    last, column = FIRST + len(curve.days) - 1, 1 + PERIODS
    whole = round(float(energy[complete].sum()), 6)
    sheet.text(last + 1, 0, labels("total"), "total")
    sheet.sum(last + 1, column, FIRST, last, whole, "total_energy")
    month = reference(name, last + 1, column)
    settled = next((line for line in what.lines if what.charges.is_metered_month(line.charge_code)), None)
    if settled is not None and settled.quantity_mwh is not None:
        sheet.text(last + 2, 0, labels("check"), "key")
        sheet.text(last + 2, 1, labels("check_energy"), "note")
        sheet.check(
            last + 2,
            column,
            f"{month.split('!')[1]}-{lines.quantity(settled.charge_code)}",
            6,
            whole - float(settled.quantity_mwh),
            "energy",
            name=labels("check_energy"),
        )
    return month if complete.all() else None


def meters_sheet(book: Book, what: Statement, curve: str | None) -> None:
    """计量点: every own meter and multiplier with its energy; together they are the curve."""
    labels, metered = what.labels, what.metered
    assert metered is not None  # noqa: S101  # the caller looked
    sheet = book.sheet(labels("sheet_meters"), [26, 14, 12, 14, 14, 20, 22, 12])
    sheet.title(labels("sheet_meters"), labels("meters_note"))
    sheet.head(HEAD, [labels(key) for key in METER_HEADS])
    for row, meter in enumerate(metered.meters, FIRST):
        sheet.text(row, 0, meter.meter_id)
        sheet.number(row, 1, meter.multiplier, "exact")
        sheet.text(row, 2, labels.of(DIRECTIONS, str(meter.direction)))
        sheet.number(row, 3, meter.days, "integer")
        sheet.number(row, 4, meter.expected, "integer")
        sheet.number(row, 5, None if meter.energy is None else meter.energy / 1e6, "energy")
        sheet.number(row, 6, meter.estimated / 1e6, "energy")
        share = meter.measured_share
        sheet.maybe(row, 7, share, "share", applies=share is not None)
    last = FIRST + len(metered.meters) - 1
    known = [meter.energy for meter in metered.meters if meter.energy is not None]
    whole = sum(known)
    sheet.text(last + 1, 0, labels("total"), "total")
    for column in (1, 2, 3, 4, 7):
        sheet.blank(last + 1, column, "total")
    sheet.sum(last + 1, 5, FIRST, last, whole / 1e6, "total_energy")
    estimated = sum(meter.estimated for meter in metered.meters)
    sheet.sum(last + 1, 6, FIRST, last, estimated / 1e6, "total_energy")
    if curve is None or len(known) != len(metered.meters):
        return
    # A generator's meters count what it delivers with a minus; its curve shows it without.
    of_curve = int(metered.curve.energy.sum())
    sheet.text(last + 2, 0, labels("check_meters"), "note")
    sheet.check(
        last + 2,
        5,
        f"ABS(F{last + 2})-ABS({curve})",
        6,
        (abs(whole) - abs(of_curve)) / 1e6,
        "energy",
        name=labels("check_meters"),
    )
