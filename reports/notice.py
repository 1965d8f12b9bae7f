"""追退补通知: what a correction changes, why, for which days and charges, and when it is billed, on one page.

Grain of the table: one row a charge. Prices are amounts over energy before and after, shown where a line has both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import pairwise

from market.money import yuan
from reports.bridge_text import CAUSES
from reports.labels import Labels
from reports.page import template
from settlement.corrections import Difference

WORDS = {
    "title": ("追退补通知", "Restatement notice"),
    "month": ("退补月份", "Month corrected"),
    "days": ("涉及日期", "Days"),
    "run": ("批次", "Run"),
    "state": ("状态", "State"),
    "previous": ("上次发布", "Published before"),
    "new": ("本次发布", "This publication"),
    "posted": ("计入月份", "Posted into"),
    "invoice": ("出账日期", "Invoice date"),
    "reasons": ("原因", "Reasons"),
    "cause": ("原因", "Cause"),
    "files": ("依据文件", "Files"),
    "charges": ("补收（元）", "More charged (yuan)"),
    "credits": ("退还（元）", "Less charged or credited (yuan)"),
    "by_charge": ("按科目汇总", "By charge"),
    "subject": ("科目编码", "Subject code"),
    "charge": ("科目", "Charge"),
    "participants": ("主体数", "Participants"),
    "before_mwh": ("原电量 MWh", "MWh before"),
    "after_mwh": ("新电量 MWh", "MWh after"),
    "before_price": ("原均价", "Price before"),
    "after_price": ("新均价", "Price after"),
    "charged": ("补收（元）", "More charged (yuan)"),
    "credited": ("退还（元）", "Credited (yuan)"),
    "net": ("合计（元）", "Net (yuan)"),
    "total": ("合计", "Total"),
    "zero": (
        "各主体差额与各清算账户变动相抵为 0.00；统一结算点电价不因追退补改变。",
        "What participants owe more is what the clearing accounts receive: the sum is 0.00. No unified price changes.",
    ),
    "none": ("未发布", "not published"),
    "every": ("整月", "whole month"),
}


@dataclass(frozen=True)
class Restatement:
    """What a notice says. changed: rows of differences; reasons: cause -> (charges, credits) fen; files by cause.

    days: on which a daily amount changed. before_published, published: dates, None where it was not.
    charges: code -> (subject code, name).
    """

    alias: str
    previous_alias: str
    month: str
    posted_into: str
    state: str
    days: Sequence[date]
    changed: Sequence[Difference]
    reasons: Mapping[str, tuple[int, int]]
    files: Mapping[str, Sequence[str]]
    charges: Mapping[str, tuple[str, str]]
    before_published: str | None
    published: str | None
    invoice: date
    fingerprint: str


def notice_html(of: Restatement, labels: Labels) -> str:
    """The page, self-contained; the same content gives the same bytes."""
    return template("notice").render(n=notice(of, labels.lang), lang=labels.lang)


def notice_markdown(of: Restatement, labels: Labels) -> str:
    """The same as plain text tables, for a letter or a mail."""
    n = notice(of, labels.lang)
    w = n["words"]
    rows = [
        f"# {n['title']}",
        "",
        *(f"- {label}: {value}" for label, value in n["facts"]),
        "",
        f"## {w['reasons']}",
        "",
    ]
    rows += _table(
        (w["cause"], w["files"], w["charges"], w["credits"]), [tuple(one.values()) for one in n["reasons"]]
    )
    heads = (
        "subject",
        "charge",
        "code",
        "participants",
        "before_mwh",
        "after_mwh",
        "before_price",
        "after_price",
    )
    names = tuple(w.get(name, name) for name in (*heads, "charged", "credited", "net"))
    table = [tuple(one.values()) for one in n["charges"]]
    table.append(("", w["total"], *[""] * 6, *n["total"].values()))
    rows += ["", f"## {w['by_charge']}", "", *_table(names, table), "", w["zero"], "", n["fingerprint"], ""]
    return "\n".join(rows)


def notice(of: Restatement, lang: str) -> dict:
    """The content of both forms, as text."""
    w = {key: both[0 if lang == "zh" else 1] for key, both in WORDS.items()}
    column = 0 if lang == "zh" else 1
    by_charge: dict[str, list[Difference]] = {}
    for one in of.changed:
        by_charge.setdefault(one.charge_code, []).append(one)
    total = [one.fen or 0 for one in of.changed]
    return {
        "title": f"{w['title']} {of.alias}",
        "words": w,
        "facts": [
            (w["month"], of.month),
            (w["days"], _stretches(of.days) or w["every"]),
            (w["run"], f"{of.previous_alias} → {of.alias}"),
            (w["state"], of.state),
            (w["previous"], of.before_published or w["none"]),
            (w["new"], of.published or w["none"]),
            (w["posted"], of.posted_into),
            (w["invoice"], str(of.invoice)),
        ],
        "reasons": [
            {
                "cause": CAUSES[cause][column],
                "files": _some(of.files.get(cause, ())),
                "charges": _money(charges),
                "credits": _money(credits_),
            }
            for cause, (charges, credits_) in of.reasons.items()
        ],
        "charges": [_charge(code, of, rows) for code, rows in sorted(by_charge.items())],
        "total": {
            "charged": _money(sum(fen for fen in total if fen > 0)),
            "credited": _money(sum(fen for fen in total if fen < 0)),
            "net": _money(sum(total)),
        },
        "fingerprint": of.fingerprint,
    }


def _charge(code: str, of: Restatement, rows: Sequence[Difference]) -> dict[str, str]:
    subject, name = of.charges.get(code, ("", code))
    fen = [row.fen or 0 for row in rows]
    before_wh, after_wh = (
        sum(getattr(row, side) or 0 for row in rows) for side in ("previous_wh", "corrected_wh")
    )
    before_fen, after_fen = (
        sum(getattr(row, side) or 0 for row in rows) for side in ("previous_fen", "corrected_fen")
    )
    return {
        "subject": subject,
        "name": name,
        "code": code,
        "participants": str(len(rows)),
        "before_mwh": _energy(before_wh),
        "after_mwh": _energy(after_wh),
        "before_price": _price(before_fen, before_wh),
        "after_price": _price(after_fen, after_wh),
        "charged": _money(sum(one for one in fen if one > 0)),
        "credited": _money(sum(one for one in fen if one < 0)),
        "net": _money(sum(fen)),
    }


def _stretches(days: Sequence[date]) -> str:
    """2022-07-12, 2022-07-14–2022-07-16."""
    starts = [day for n, day in enumerate(days) if n == 0 or (day - days[n - 1]).days > 1]
    ends = [day for day, after in pairwise([*days, date.max]) if (after - day).days > 1]
    return ", ".join(str(a) if a == b else f"{a}–{b}" for a, b in zip(starts, ends, strict=True))


def _some(files: Sequence[str]) -> str:
    return ", ".join(files[:3]) + (f" +{len(files) - 3}" if len(files) > 3 else "")


def _money(fen: int) -> str:
    return f"{yuan(fen):,}"


def _energy(wh: int) -> str:
    return f"{Decimal(wh).scaleb(-6):,.6f}" if wh else ""


def _price(fen: int, wh: int) -> str:
    return f"{yuan(fen) / Decimal(wh).scaleb(-6):,.3f}" if wh else ""


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"

    return [line(heads), "|" + "---|" * len(heads), *(line(row) for row in rows)]
