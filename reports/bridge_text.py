"""The bridge between two runs as people and machines read it: a table by cause, CSV rows, plain data."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from market.money import yuan
from settlement.bridge import BridgeRow, Cause

CAUSES: Mapping[str, tuple[str, str]] = {
    "old": ("上版", "old run"),
    "reading": ("计量数据", "readings"),
    "price": ("价格", "prices"),
    "position": ("申报与出清电量", "positions"),
    "contract": ("合同与交易", "contracts and trades"),
    "master_data": ("档案", "master data"),
    "rule": ("规则与程序", "rules and software"),
    "event": ("需求响应事件", "demand-response events"),
    "manual": ("人工调整", "manual adjustments"),
    "correction": ("往月结转与追退补", "carried and corrected from other months"),
    "rounding": ("尾差", "rounding"),
    "new": ("新版", "new run"),
}
HEADINGS = ("participant_id", "city", "charge_code", "before_cny", "after_cny", "difference_cny")


def row_of(row: BridgeRow, city: str | None) -> dict[str, Any]:
    """One participant and charge: amounts before and after, and every cause, 元 as text; None is missing."""
    values = (
        row.participant_id,
        city,
        row.charge_code,
        _cny(row.before_fen),
        _cny(row.after_fen),
        _cny(row.difference_fen),
    )
    return dict(zip(HEADINGS, values, strict=True)) | {
        f"{cause}_cny": _cny(row.parts.get(cause, 0)) for cause in Cause
    }


def bridge_csv(rows: Sequence[BridgeRow], cities: Mapping[str, str | None]) -> str:
    """One line a participant and charge, causes as columns."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, [*HEADINGS, *(f"{cause}_cny" for cause in Cause)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(row_of(row, cities.get(row.participant_id)) for row in rows)
    return stream.getvalue()


def waterfall_rows(steps: Iterable[tuple[str, int, int]], lang: str) -> list[tuple[str, str, str, str]]:
    """Old run, causes, new run: name, charges, credits, net, with thousands separators."""
    column = 0 if lang == "zh" else 1
    return [
        (CAUSES[step][column], *(f"{yuan(fen):,}" for fen in (charges, credits_, charges + credits_)))
        for step, charges, credits_ in steps
    ]


def line_rows(
    rows: Iterable[BridgeRow], reasons: Mapping[tuple[str, str], Sequence[Cause]], lang: str
) -> list[tuple[str, str, str, str, str]]:
    """Participant, charge, before, difference and its causes with their parts, the largest first."""
    column = 0 if lang == "zh" else 1
    return [
        (
            row.participant_id,
            row.charge_code,
            "–" if row.before_fen is None else f"{yuan(row.before_fen):,}",
            f"{yuan(row.difference_fen):,}",
            ", ".join(
                f"{CAUSES[cause][column]} {yuan(row.parts[cause]):,}"
                for cause in reasons[row.participant_id, row.charge_code]
            ),
        )
        for row in rows
    ]


def _cny(fen: int | None) -> str | None:
    return None if fen is None else str(yuan(fen))
