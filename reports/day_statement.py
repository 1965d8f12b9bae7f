"""日清分单: a day's provisional lines as CSV that Excel opens, with what it is and what it is not at its head."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from io import StringIO
from typing import Any

from market.clock import Deadline
from market.profiles import ChargeMatrix
from reports.lines_csv import BOM, inert

HEADS = (
    "日期 date",
    "主体编码 participant",
    "市场主体 name",
    "科目编码 subject",
    "科目名称 charge",
    "内部代码 code",
    "电量(MWh) energy",
    "金额(元) amount",
    "暂定至 provisional until",
    "依据 clause",
)
MISSING = "缺失 missing"


@dataclass(frozen=True)
class DayHead:
    """Which run a statement is of, until when it may be objected to, and which charges only the month has."""

    day: date
    alias: str
    fingerprint: str
    objection: Deadline
    not_in_a_day: tuple[str, ...]


def day_statement(
    head: DayHead, lines: Sequence[Mapping[str, Any]], names: Mapping[str, str], matrix: ChargeMatrix
) -> bytes:
    """The statement of one or all participants; lines as in the run's ``lines.parquet``."""
    charges = {charge.code: charge for charge in matrix.charges}
    monthly = "; ".join(f"{charges[code].name_zh} {charges[code].name_en}" for code in head.not_in_a_day)
    objection = head.objection
    by = f"{objection.day} {objection.at:%H:%M}" if objection.at else str(objection.day)
    out = StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerows(
        [
            ["日清分单 (临时结果) Provisional daily statement", str(head.day)],
            ["批次 run", head.alias, "指纹 fingerprint", head.fingerprint],
            ["异议截止 objections until", by],
            [
                "说明 note",
                "金额按日取整仅供核对, 月度按全月精确金额取整一次; 正为应付, 负为应收。 Amounts are rounded for reading; "
                "the month rounds its exact sum once. Positive is to be paid.",
            ],
            ["按月结算, 不在本单 settled by the month, not in here", monthly],
            [],
            HEADS,
        ]
    )
    for line in lines:
        charge = charges[line["charge_code"]]
        until = line["provisional_until"]
        writer.writerow(
            [
                line["date"],
                inert(line["participant_id"]),
                inert(names.get(line["participant_id"]) or ""),
                charge.subject_code or "",
                f"{charge.name_zh} {charge.name_en}",
                line["charge_code"],
                MISSING if line["quantity_mwh"] is None else line["quantity_mwh"],
                MISSING if line["amount_cny"] is None else line["amount_cny"],
                "" if until is None else f"{until} (省间 inter-provincial)",
                inert(line["clause"]),
            ]
        )
    return (BOM + out.getvalue()).encode("utf-8")
