"""A participant's statement on paper: head, net, lines with causes, what is open, fingerprint and anchor on every page."""

from __future__ import annotations

import json
from decimal import Decimal
from importlib.resources import files
from typing import Any

import typst

from reports.chinese_fonts import chinese_font, fonts
from reports.content import known_total
from reports.labels import ADJUSTMENTS, FINDINGS, SEVERITIES
from reports.statement_facts import Statement
from reports.statement_lines import reason

LATIN = "Liberation Sans"
HASHES = ("run_id", "fingerprint", "profile", "log_anchor")


def statement_pdf(what: Statement) -> bytes:
    """The PDF's bytes; the same run and fonts give the same bytes. Raises NoChineseFontError."""
    template = files("reports").joinpath("templates", "statement.typ").read_bytes()
    made: bytes = typst.compile(
        template,
        font_paths=fonts(),
        sys_inputs={"data": json.dumps(_data(what), ensure_ascii=False)},
    )
    return made


def _data(what: Statement) -> dict[str, Any]:
    labels, head = what.labels, what.content.head
    hashed = {labels(key) for key in HASHES}
    facts = what.head()
    has_previous = what.content.previous is not None
    lines = [
        [
            what.charges.subject(line.charge_code),
            what.charges.name(line.charge_code),
            _energy(line.quantity_mwh),
            "" if line.price_cny_per_mwh is None else f"{line.price_cny_per_mwh:,.3f}",
            _money(line.amount_cny, labels("missing")),
            _money(line.previous_cny, labels("missing")) if has_previous else "",
            _money(line.difference_cny, labels("missing")) if has_previous else "",
            reason(line, labels),
            line.clause,
        ]
        for line in what.lines
    ]
    return {
        "lang": labels.lang,
        "fonts": [LATIN, chinese_font()],
        "missing": labels("missing"),
        "title": f"{labels('statement')}  {head.month}",
        "number": what.number,
        "note": labels("sign_note"),
        "head": [[key, text] for key, text in facts if key not in hashed],
        "hashes": [[key, text] for key, text in facts if key in hashed],
        "cards": _cards(what),
        "lines_title": labels("sheet_lines"),
        "lines_head": [labels(key) for key in ("subject_code", "charge", "quantity", "price", "amount")]
        + [labels(key) for key in ("previous_amount", "difference", "reason", "clause")],
        "lines": lines,
        "total": _total(what, has_previous),
        "causes_title": labels("top_reasons"),
        "causes_head": [labels("reason"), labels("difference")],
        "causes": [[cause, _money(amount, "")] for cause, amount in what.reasons()],
        "unbridged_title": labels("unattributed"),
        "unbridged": what.content.unbridged,
        "findings_title": labels("open_findings"),
        "findings_head": [labels(key) for key in ("severity", "finding_name", "sentence", "at_stake")],
        "findings": [
            [
                labels.of(SEVERITIES, one.severity),
                labels.of(FINDINGS, one.code),
                labels.sentence(one.code, one.sentence),
                _money(one.amount_at_stake_cny, ""),
            ]
            for one in what.open_findings()
        ],
        "adjustments_title": labels("sheet_adjustments"),
        "adjustments_head": [
            labels(key)
            for key in (
                "adjustment_id",
                "charge",
                "amount",
                "adjustment_reason",
                "approver",
                "adjustment_state",
            )
        ],
        "adjustments": [
            [
                one.adjustment_id,
                what.charges.name(one.charge_code),
                _money(one.amount_cny if one.payer_id == what.participant_id else -one.amount_cny, ""),
                one.reason,
                one.approver,
                labels.of(ADJUSTMENTS, one.state),
            ]
            for one in what.adjustments
        ],
        "signatures": [labels(key) for key in ("prepared_by", "reviewed_by", "approved_by")],
        "footer": f"{what.number}   {labels('fingerprint')} {head.fingerprint}   "
        f"{labels('log_anchor')} {head.anchor or labels('none')}",
    }


def _cards(what: Statement) -> list[list[str]]:
    labels = what.labels
    count, by_hand = what.by_hand
    change = (
        _money(what.net.change, labels("missing")) if what.content.previous is not None else labels("none")
    )
    return [
        [labels("net_amount"), _money(what.net.amount, labels("missing"))],
        [labels("change"), change],
        [labels("measured_share"), labels("none") if what.measured is None else f"{what.measured:.2%}"],
        [f"{labels('manual_amount')} · {count}", _money(by_hand, labels("missing"))],
        [labels("open_findings"), what.open_count()],
    ]


def _total(what: Statement, has_previous: bool) -> list[str]:
    amounts = ["amount_cny", "previous_cny", "difference_cny"][: 3 if has_previous else 1]
    sums = [_money(known_total([getattr(line, name) for line in what.lines]), "") for name in amounts]
    return [what.labels("total"), "", "", "", *sums, *[""] * (3 - len(sums)), "", ""]


def _money(value: Decimal | None, missing: str) -> str:
    return missing if value is None else f"{value:,.2f}"


def _energy(value: Decimal | None) -> str:
    return "" if value is None else f"{value:,.6f}"
