"""The allocation page: who gained, who pays, how sure that is, and what another rule would do (architecture §7).

One self-contained HTML file that opens offline; the same events give the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jinja2 import Template
from markupsafe import Markup

from demand_response.lab import Placebos, Variant
from market.money import yuan
from market.periods import LABELS, Month
from market.profiles import RuleProfile
from reports import allocation_charts as pictures
from reports import allocation_words, charts, labels
from reports.allocation_numbers import (
    EventView,
    Together,
    monthly_net,
    rule_rows,
    together,
)
from reports.allocation_words import AllocationLabels
from reports.content import Party
from reports.month_rules import uncertain_rules
from reports.page import MONEY, ONE, PERCENT, THREE, WHOLE, template

TEN_THOUSAND = Decimal(10_000)


class Fact(NamedTuple):
    """One line of the page's head."""

    name: str
    value: str
    is_code: bool = False


@dataclass(frozen=True, eq=False)
class LabView:
    """The laboratory as the page shows it.

    summary: one row a variant. chosen: participants to be enrolled by the evidence. compared_days: most of a participant.
    """

    placebos: Placebos
    summary: pd.DataFrame
    chosen: Mapping[Variant, int]
    window: tuple[int, int]
    certified_below: float
    compared_days: int


@dataclass(frozen=True, eq=False)
class AllocationPage:
    """What the page shows. head: facts under the title. sources: (file, sha256, rows). provisional: one event, D+1."""

    title: str
    head: Sequence[Fact]
    month: Month
    profile: RuleProfile
    parties: Mapping[str, Party]
    events: Sequence[EventView]
    lab: LabView | None
    sources: Sequence[tuple[str, str, int]]
    provisional: bool


def allocation_page(page: AllocationPage, words: AllocationLabels) -> str:
    """The page as HTML text."""
    all_events = together(page.events, page.parties)
    rules, _ = page.profile.settled
    return str(
        _template().render(
            t=words,
            tables=labels,
            names=allocation_words,
            page=page,
            events=page.events,
            sums=all_events,
            benefit=yuan(sum(all_events.benefit_fen.values())),
            charge=yuan(sum(all_events.charge_fen.values())),
            by_benefit=sum((view.tranche("benefit") for view in page.events), Decimal("0.00")),
            without=sum((view.charged_without_benefit for view in page.events), Decimal("0.00")),
            shared=[view for view in page.events if view.shared is not None],
            month_net=monthly_net(page.events),
            voll=rules.value_of_lost_load_cny_per_mwh,
            party=lambda who: _label(page.parties, who),
            rules={view.event.event_id: rule_rows(view) for view in page.events},
            shapley={view.event.event_id: _shapley(view) for view in page.events},
            responses={view.event.event_id: _responses(view) for view in page.events},
            scatter=_scatter(page, all_events, words),
            ratios=_ratios(all_events, words),
            fans={view.event.event_id: _fan(view, words) for view in page.events},
            class_bars={view.event.event_id: _class_bars(view, page.parties, words) for view in page.events},
            strips=None if page.lab is None else _strips(page.lab, words),
            lab_rows=[] if page.lab is None else _lab_rows(page.lab),
            lab_window=None if page.lab is None else _clock(*page.lab.window),
            uncertain=[
                rule
                for rule in uncertain_rules(page.profile, page.month, words)
                if rule.name.startswith("dr_")
            ],
            font=Markup(charts.FONT),  # noqa: S704  # our own text, no input
            library=Markup(charts.library()),  # noqa: S704
        )
    )


@cache
def _template() -> Template:
    return template(
        "allocation",
        money=MONEY,
        whole=WHOLE,
        mwh=ONE,
        power=ONE,
        price=THREE,
        share=PERCENT,
        signed="{:+.2%}".format,
        three="{:.3f}".format,
    )


class ResponseRow(NamedTuple):
    """One participant in one event; None where it could not be judged. drops are baseline - metered, kW."""

    participant_id: str
    committed_kw: Decimal
    average_kw: float | None
    largest_kw: float | None
    smallest_kw: float | None
    rate: float | None
    minutes: int | None
    confirmed_kw: float | None
    eligible_mwh: float | None
    payment: Decimal | None
    penalty: Decimal | None
    method: str
    adjustment: str
    code: str


def _responses(view: EventView) -> list[ResponseRow]:
    awards = {one.participant_id: one for one in view.commitments}
    rows = []
    for one in view.outcomes:
        response = one.response
        sign = 1 if view.event.direction == "cut" else -1
        drops = [sign * wh * 4 / 1000 for wh in one.reduction_wh or ()]
        award = awards[one.participant_id]
        rows.append(
            ResponseRow(
                one.participant_id,
                one.committed_kw,
                None if response is None else response.responded_kw,
                max(drops) if drops else None,
                min(drops) if drops else None,
                None if response is None else response.rate,
                None if response is None else response.effective_minutes,
                None if response is None else response.confirmed_kw,
                None if response is None else response.confirmed_kw * float(view.event.hours) / 1000,
                None if one.payment_fen is None else yuan(one.payment_fen),
                None if one.penalty_fen is None else yuan(one.penalty_fen),
                award.method,
                award.adjustment,
                one.code,
            )
        )
    return rows


def _shapley(view: EventView) -> tuple[int, Decimal, str] | None:
    """(samples, widest half interval in yuan, whose); None where the value is exact or there is none."""
    if view.audit is None or not view.audit.samples:
        return None
    widest = max(view.audit.interval.items(), key=lambda item: (item[1][1] - item[1][0], item[0]))
    half = (widest[1][1] - widest[1][0]) / 2
    return view.audit.samples, yuan(round(half)), widest[0]


def _scatter(page: AllocationPage, sums: Together, words: AllocationLabels) -> Markup | None:
    points: dict[str, list[tuple[str, float, float]]] = {}
    for who in sorted(sums.benefit_fen):
        party = page.parties.get(who)
        group = words.of(labels.KINDS, party.kind if party else None) or "-"
        row = (_label(page.parties, who), sums.benefit_fen[who] / 100, sums.charge_fen[who] / 100)
        points.setdefault(group, []).append(row)
    if not points:
        return None
    titles = (words("benefit"), words("allocated"))
    return _markup(pictures.benefit_scatter(points, titles, words("equal_line"), "chart-benefit-charge"))


def _ratios(sums: Together, words: AllocationLabels) -> Markup | None:
    def members(rows: Sequence[Any], named: Any) -> list[tuple[str, float | None]]:
        return [(named(row.name), None if row.ratio is None else float(row.ratio)) for row in rows]

    groups = [
        (words("class"), members(sums.by_kind, lambda name: words.of(labels.KINDS, name) or "-")),
        (words("city"), members(sums.by_city, lambda name: words.city(name or None))),
    ]
    if not any(ratio is not None for _, rows in groups for _, ratio in rows):
        return None
    return _markup(pictures.ratio_bars(groups, words("ratio"), "chart-ratios"))


def _fan(view: EventView, words: AllocationLabels) -> Markup:
    shown = {word: words(word) for word in ("metered", "baseline", "like_days", "median", "power_axis")}
    fan = view.fan
    return _markup(
        pictures.fan(
            fan.metered,
            fan.baseline,
            (fan.low, fan.middle, fan.high),
            (view.event.first_period, view.event.last_period),
            shown,
            f"chart-fan-{view.event.event_id}",
        )
    )


def _class_bars(view: EventView, parties: Mapping[str, Party], words: AllocationLabels) -> Markup | None:
    if view.audit is None or not view.audit.cost_fen:
        return None
    charges = view.audit.charges
    kinds = pd.Series([parties[who].kind if who in parties else None for who in charges.index], charges.index)
    percent = charges.groupby(kinds.fillna("")).sum() * 100 / view.audit.cost_fen
    rows = [row.rule for row in rule_rows(view) if not row.reason]
    names = [words.of(allocation_words.RULES, rule) for rule in rows]
    classes = [
        (words.of(labels.KINDS, str(kind)) or "-", [float(percent.loc[kind, rule]) for rule in rows])
        for kind in percent.index
    ]
    return _markup(pictures.class_shares(names, classes, f"chart-classes-{view.event.event_id}"))


def _strips(lab: LabView, words: AllocationLabels) -> Markup | None:
    """Daily error of the sum of everyone, by variant without adjustment and by the best of the adjusted."""
    rows = []
    for variant, forecast in lab.placebos.forecast.items():
        known = ~(np.isnan(forecast) | np.isnan(lab.placebos.actual)).any(axis=(0, 2))
        if variant.adjustment not in ("none", "additive") or not known.any():
            continue
        load = lab.placebos.actual[:, known].sum(axis=(0, 2))
        error = (forecast - lab.placebos.actual)[:, known].sum(axis=(0, 2)) * 100 / load
        name = words.of(allocation_words.METHODS, variant.method)
        plus = (
            "" if variant.adjustment == "none" else f" + {words.of(allocation_words.ADJUSTMENTS, 'additive')}"
        )
        rows.append((name + plus, error.tolist()))
    return _markup(pictures.error_strips(rows, words("placebo_axis"), "chart-placebos")) if rows else None


def _lab_rows(lab: LabView) -> list[dict[str, Any]]:
    return [
        {**row, "chosen": lab.chosen.get(Variant(row["method"], row["adjustment"]), 0)}
        for row in lab.summary.to_dict("records")
    ]


def _label(parties: Mapping[str, Party], who: str) -> str:
    party = parties.get(who)
    return f"{who} {party.name}" if party is not None and party.name else who


def _clock(first: int, last: int) -> str:
    start = "00:00" if first == 1 else LABELS[first - 2]
    return f"{start}-{LABELS[last - 1]}"


def _markup(html: str) -> Markup:
    return Markup(html)  # noqa: S704  # plotly escapes what it embeds; labels were escaped before
