"""The filing record of a bid (备案记录): who handed in what, when, for which periods, up to which price, and why.

Shanxi files every purchase with the energy authorities before bidding and in writing the month after (market.md A.11);
one row a run of periods with the same reason, in the words of ``optimization.decision``. CSV with a byte-order mark.
"""

from __future__ import annotations

import csv
import io
from itertools import groupby
from typing import Any

from market.periods import label
from reports.bid_words import REASON_ZH

COLUMNS = (
    *(
        "日期",
        "场次",
        "轮次",
        "起",
        "止",
        "最大申报MW",
        "申报电量MWh",
        "最高报价元/MWh",
        "价格上限元/MWh",
        "超上限",
    ),
    *(
        "缺口概率",
        "省内预期价元/MWh",
        "期望落地价元/MWh",
        "理由",
        "报送人",
        "报送时间",
        "批准人",
        "说明",
        "版本",
        "文件SHA256",
    ),
)


def filing(facts: dict[str, Any], filed_by: str, filed_at: str, approved_by: str, reason: str) -> bytes:
    """The record of a bid that was handed in. A bid that no model judged has one row that says so."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    end = (
        filed_by,
        filed_at,
        approved_by,
        reason or facts["reason"] or "",
        facts["version"],
        facts["bid"]["sha256"],
    )
    start = (facts["day"], facts.get("stage", "day_ahead"), facts.get("round", 1))
    bought = [one for one in facts["decision"] if one["buy"]]
    if not bought:
        said = facts["reason"] or ("不购电" if facts["bid"]["segments"] == 0 else "人工报价，未经模型判定")
        writer.writerow((*start, "", "", "", facts["bid"]["mwh"], "", "", "", "", "", "", said, *end))
    for run in _runs(bought):
        landed = [one["landed"] for one in run if one["landed"] is not None]
        writer.writerow(
            (
                *start,
                label(run[0]["period"]),
                label(run[-1]["period"]),
                max(one["mw"] for one in run),
                f"{sum(one['mw'] for one in run) / 4:.2f}",
                max(one["highest"] for one in run),
                min(one["ceiling"] for one in run),
                "是" if any(one["above_ceiling"] for one in run) else "否",
                f"{max(one['probability'] for one in run):.2f}",
                f"{sum(one['provincial'] for one in run) / len(run):.2f}",
                f"{sum(landed) / len(landed):.2f}" if landed else "",
                REASON_ZH[run[0]["reason"]],
                *end,
            )
        )
    return text.getvalue().encode("utf-8-sig")


def _runs(rows: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Neighbouring periods with one reason."""
    keyed = [((one["period"] - place, one["reason"]), one) for place, one in enumerate(rows)]
    return [[one for _, one in group] for _, group in groupby(keyed, key=lambda pair: pair[0])]
