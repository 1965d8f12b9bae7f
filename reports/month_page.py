"""The month report: one self-contained HTML page that opens offline and prints well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
from jinja2 import Template
from markupsafe import Markup
from numpy.typing import NDArray

from market.calendars import ChinaCalendar
from market.curves import MISSING, is_missing
from market.money import IntArray
from market.periods import TIME_ZONE
from reports import charts, labels
from reports.bridge_text import CAUSES
from reports.close_plan import LateFeed, close_plan
from reports.content import Charges, FindingRow, RunContent, known_total, megawatt_hours
from reports.event_numbers import Share, clock, event_totals, fairness, shares
from reports.labels import Labels
from reports.month_check import assert_agrees
from reports.month_numbers import (
    ChargeTotal,
    bridge,
    charge_totals,
    city_work,
    energy_balance,
    kind_of,
    kinds_present,
    money_balance,
    party_totals,
)
from reports.month_rules import close_calendar, uncertain_rules, working_days
from reports.month_words import month_statement
from reports.page import MONEY, PERCENT, THREE, WHOLE, template
from reports.version_steps import Step, version_steps

TOP = 15
SCATTER_SHOWN = 400
FINDINGS_A_CITY = 12
INPUTS_SHOWN = 200
TEN_THOUSAND = Decimal(10_000)


@dataclass(frozen=True)
class Province:
    """The province by day and quarter-hour, (days, 96): use Wh and real-time user price 0.001 元/MWh.

    source: generation and import, Wh; estimated: share of the metered energy that was not measured, 0 to 1.
    """

    days: tuple[date, ...]
    use: IntArray
    price: IntArray
    source: IntArray | None = None
    estimated: NDArray[np.float64] | None = None


def month_page(
    content: RunContent, province: Province | None, words: Labels, feeds: Sequence[LateFeed] | None = None
) -> str:
    """The page as text. province: None where the home holds no curves of the month.

    feeds: what came late or lacks something; None where the month was loaded after its bills were due.
    Raises MonthPageDiffersError where a figure would not be what the run's tables say.
    """
    charges = Charges(content.matrix, words)
    assert_agrees(content, charges)
    totals = charge_totals(content, charges)
    money, energy, sums = money_balance(content, words), energy_balance(content), _sums(totals)
    steps, work = version_steps(content), city_work(content)
    parties = party_totals(content)
    calendar = ChinaCalendar()
    milestones = close_calendar(content.head.month, content.profile, calendar)
    plan = close_plan(content.head.month, content.profile, calendar, feeds or ())
    told = None if feeds is None else plan
    payers, events = shares(content), event_totals(content)
    page: str = _template().render(
        t=words,
        tables=labels,
        head=content.head,
        content=content,
        charges=charges,
        money=money,
        energy=energy,
        said=month_statement(
            content, words, money, energy, (sums["charges"], sums["credits"]), steps, work, told
        ),
        steps=steps,
        waterfall=_waterfall(steps, words),
        causes=CAUSES,
        plan=plan,
        judged=feeds is not None,
        work=work,
        totals=totals,
        kinds=kinds_present(totals),
        sums=sums,
        kind_sums=_kind_sums(totals),
        as_of=_as_of(content),
        bridge=bridge(content, charges),
        owing=[one for one in parties if one.net > 0][:TOP],
        owed=[one for one in reversed(parties) if one.net < 0][:TOP],
        parties=len(parties),
        events=events,
        tranches=sorted({tranche for one in events for tranche in one.tranches}),
        clock=clock,
        fairness=fairness(payers),
        scatter_note=_scatter_note(payers, words),
        cities={one.city: one.counts for one in work if one.counts},
        city_findings=_city_findings(content),
        milestones=milestones,
        calendar=working_days(content.head.month, milestones[-1].day, calendar),
        uncertain=uncertain_rules(content.profile, content.head.month, words),
        same_profile=content.profile.sha256 == content.head.manifest["profile_sha256"],
        inputs=content.head.manifest["inputs"][:INPUTS_SHOWN],
        heat_map=_heat_map(content, province, words),
        bars=_bars(totals, words, charges),
        scatter=_scatter(content, payers, words),
        font=Markup(charts.FONT),  # noqa: S704  # our own text, no input
        library=Markup(charts.library()),  # noqa: S704
    )
    return page


@cache
def _template() -> Template:
    return template(
        "month",
        money=MONEY,
        wan=lambda value: f"{value / TEN_THOUSAND:,.2f}",
        mwh=THREE,
        whole=WHOLE,
        share=PERCENT,
        three="{:.3f}".format,
    )


def _sums(totals: list[ChargeTotal]) -> Mapping[str, Decimal]:
    return {
        "charges": known_total([one.charges for one in totals]),
        "credits": known_total([one.credits for one in totals]),
        "net": known_total([one.net for one in totals]),
    }


def _kind_sums(totals: list[ChargeTotal]) -> Mapping[str, Decimal]:
    return {
        kind: sum((one.by_kind.get(kind, Decimal(0)) for one in totals), Decimal(0))
        for kind in kinds_present(totals)
    }


def _as_of(content: RunContent) -> str:
    as_of = content.head.manifest["as_of"]
    if as_of is None:
        return ""
    return datetime.fromisoformat(as_of).astimezone(ZoneInfo(TIME_ZONE)).isoformat(" ", "seconds")


def _heat_map(content: RunContent, province: Province | None, words: Labels) -> Markup | None:
    if province is None:
        return None
    use = megawatt_hours(province.use)
    price = megawatt_hours(province.price) * 1000  # 0.001 元/MWh; missing stays missing
    layers: tuple[tuple[str, NDArray[np.float64]], ...] = (
        (words("heat_cost"), use * price / float(TEN_THOUSAND)),
        (words("heat_use"), use),
        (words("heat_price"), price),
    )
    if province.source is not None:
        layers = (*layers, (words("heat_residual"), megawatt_hours(_less(province.source, province.use))))
    if province.estimated is not None:
        layers = (*layers, (words("heat_estimated"), province.estimated * 100))
    windows = [(event.day, event.first_period, event.last_period) for event in content.events]
    return _fragment(charts.heat_map(province.days, layers, windows, "heat-map"))


def _less(left: IntArray, right: IntArray) -> IntArray:
    return np.where(is_missing(left) | is_missing(right), MISSING, left - right)


def _waterfall(steps: Sequence[Step], words: Labels) -> Markup | None:
    if not steps:
        return None
    bars = [(words.of(CAUSES, step.name), float(step.users)) for step in steps]
    return _fragment(charts.waterfall(bars, "元" if words.lang == "zh" else "yuan", "waterfall"))


def _bars(totals: list[ChargeTotal], words: Labels, charges: Charges) -> Markup:
    kinds = kinds_present(totals)
    parts = [
        (charges.name(one.code), [float(one.by_kind.get(kind, 0) / TEN_THOUSAND) for kind in kinds])
        for one in totals
    ]
    unit = "万元" if words.lang == "zh" else "10,000 yuan"
    return _fragment(charts.stacked_bars([_kind(kind, words) for kind in kinds], parts, unit, "who-pays"))


def _kind(kind: str, words: Labels) -> str:
    return words.of(labels.KINDS, kind) or "-"


def _scatter(content: RunContent, payers: list[Share], words: Labels) -> Markup | None:
    if not payers:
        return None
    points: dict[str, list[tuple[str, float, float]]] = {}
    for one in payers[:SCATTER_SHOWN]:
        party = content.parties.get(one.participant_id)
        label = f"{one.participant_id} {party.name if party and party.name else ''}".strip()
        group = points.setdefault(_kind(kind_of(content, one.participant_id), words), [])
        group.append((label, float(one.benefit), float(one.charge)))
    titles = (words("benefit"), words("allocated"))
    return _fragment(charts.scatter(points, titles, words("equal_line"), "benefit-charge"))


def _scatter_note(payers: list[Share], words: Labels) -> str:
    if len(payers) <= SCATTER_SHOWN:
        return words("scatter_note")
    return f"{words('scatter_note')} {words('scatter_shown', shown=SCATTER_SHOWN, all=len(payers))}"


def _city_findings(content: RunContent) -> dict[str | None, list[FindingRow]]:
    """The most urgent findings of every city, a few each."""
    severities = list(labels.SEVERITIES)
    listed: dict[str | None, list[FindingRow]] = {}
    for finding in sorted(
        content.findings, key=lambda one: (severities.index(one.severity), one.code, one.subject)
    ):
        mine = listed.setdefault(finding.city, [])
        if len(mine) < FINDINGS_A_CITY:
            mine.append(finding)
    return listed


def _fragment(html: str) -> Markup:
    return Markup(html)  # noqa: S704  # plotly escapes what it embeds; labels were escaped before
