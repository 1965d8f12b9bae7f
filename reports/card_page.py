"""A charge-code card as a Markdown page: Chinese beside English, what the card and what the profiles say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from market.cards import Card, Example
from market.profiles import Charge
from reports import labels

GRAINS = {
    "quarter_hour": "15 min",
    "hour": "小时 hour",
    "day": "日 day",
    "month": "月 month",
    "event": "事件 event",
    "trade": "成交 trade",
    "row": "记录 row",
}
PERIODS = {
    "quarter_hour": "15 分钟 quarter-hour",
    "hour": "小时 hour",
    "day": "日 day",
    "month": "月 month",
    "event": "事件 event",
}


@dataclass(frozen=True)
class CardView:
    """A card and the charge it explains in each profile that has it."""

    card: Card
    charges: Mapping[str, Charge]

    @property
    def any_charge(self) -> Charge:
        """The charge in the first profile: names and subject code are the same in all."""
        return next(iter(self.charges.values()))


def card_page(view: CardView) -> str:
    """The page of one charge."""
    card, charge = view.card, view.any_charge
    parts = [
        f"# {charge.name_zh} {charge.name_en}",
        f"`{card.code}`"
        + (f" · 科目 {charge.subject_code}" if charge.subject_code else "")
        + f" · {_validity(card)}",
        f"{card.rule.zh}\n\n{card.rule.en}",
        "## 公式 Formula",
        "\n".join(["```", *(f"{one.of}: {one.amount}" for one in card.formulas), "```"]),
        _table(
            ("", "单位 unit", "粒度 grain", "来源 source", ""),
            [
                (f"`{one.symbol}`", one.unit, GRAINS[one.grain], f"`{one.source}`", f"{one.zh}; {one.en}")
                for one in card.inputs
            ],
        ),
        "正为应付, 负为应收, 单位元。Positive is a charge, negative a credit, in yuan. "
        "`share(pool, keys)` 按最大余数法分到分, 余数相同按主体编码 shares in fen by largest remainder, ties by id.",
        f"取整 Rounding: {card.rounding.zh} {card.rounding.en}",
        "可加性 Additivity: "
        + (
            "拆分主体不改变合计。Splitting a participant leaves the sum of its lines as it was (but for the fen)."
            if card.not_additive is None
            else f"{card.not_additive.zh} {card.not_additive.en}"
        ),
        "## 谁付谁收 Who pays whom",
        _table(
            (
                "规则 profile",
                "付方 payers",
                "收方 payees",
                "账户 account",
                "依据 key",
                "周期 period",
                "条款 clause",
                "来源 certainty",
            ),
            [row for name, one in view.charges.items() for row in _terms(name, one)],
        ),
    ]
    if card.predecessors or card.successors:
        parts.append(
            f"前身 Predecessors: {_codes(card.predecessors)} · 后继 Successors: {_codes(card.successors)}"
        )
    parts += ["## 手算 By hand", *(_example(one) for one in card.examples)]
    return "\n\n".join(parts) + "\n"


def index_page(views: Sequence[CardView]) -> str:
    """The list of all charges."""
    rows = [
        (
            f"[{view.any_charge.name_zh} {view.any_charge.name_en}]({view.card.code}.md)",
            f"`{view.card.code}`",
            view.any_charge.subject_code or "",
            view.any_charge.account,
            ", ".join(view.charges),
            _validity(view.card),
        )
        for view in sorted(views, key=lambda view: (view.any_charge.account, view.card.code))
    ]
    return (
        "\n\n".join(
            [
                "# 科目卡 Charge-code cards",
                "Generated from `data/reference/cards` and the charge matrix of each profile by `gridsettle charge pages`; "
                "edit the cards, not these pages. The pages beside them that are written by hand: "
                "[clearing](clearing.md), [inter-provincial](interprovincial.md), [paths](paths.md).",
                _table(
                    (
                        "科目 charge",
                        "代码 code",
                        "编码 subject",
                        "账户 account",
                        "规则 profiles",
                        "有效 in force",
                    ),
                    rows,
                ),
            ]
        )
        + "\n"
    )


def _terms(name: str, charge: Charge) -> list[tuple[str, ...]]:
    receiving = _kinds(charge.payees) if charge.payees else f"账户 account {charge.counter_account}"
    rows = [
        (
            name,
            _kinds(charge.payers),
            receiving,
            charge.account,
            charge.key,
            PERIODS[charge.period],
            charge.clause,
            _certainty(charge.certainty),
        )
    ]
    rows += [
        (
            f"{name}, {policy}",
            _kinds(terms.payers),
            receiving,
            charge.account,
            terms.key,
            PERIODS[charge.period],
            terms.clause,
            _certainty(terms.certainty),
        )
        for policy, terms in charge.other_policies.items()
    ]
    return rows


def _example(one: Example) -> str:
    given = ", ".join(f"{name} = {_value(value)}" for name, value in one.given.items())
    periods = f", 每刻钟 each of {one.repeat:,} quarter-hours" if one.repeat > 1 else ""
    return (
        f"`{one.scenario}`, {one.participant_id}: {given}{periods}.\n\n"
        f"{one.arithmetic} → **{one.amount_cny:,.2f} 元**"
    )


def _value(value: Decimal | tuple[Decimal, ...] | dict[str, Decimal]) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{who} {number}" for who, number in value.items())
    if isinstance(value, tuple):
        return "; ".join(map(str, value))
    return str(value)


def _validity(card: Card) -> str:
    until = f"{card.valid_to} 前 before" if card.valid_to else "今 open"
    return f"{card.valid_from} – {until}"


def _kinds(kinds: Sequence[str]) -> str:
    return "、".join(" ".join(labels.KINDS[kind]) for kind in kinds)


def _certainty(certainty: str) -> str:
    return " ".join(labels.CERTAINTIES[certainty])


def _codes(codes: Sequence[str]) -> str:
    return ", ".join(f"[`{code}`]({code}.md)" for code in codes) or "无 none"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)
