"""``gridsettle readings``: what the checks find in a month of readings, before anything is settled."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from commands.terminal import Json, Lang, Language, instant, out, print_json

HEADS = {"zh": ("等级", "规则", "电表", "说明"), "en": ("severity", "rule", "meter", "finding")}


def readings(
    month: Annotated[str, typer.Argument(metavar="MONTH", help="YYYY-MM.")],
    profile: str = "SD_2022",
    as_of: Annotated[str | None, typer.Option(help="ISO instant: what was known then.")] = None,
    as_json: Json = False,
    lang: Lang = Language.ZH,
) -> None:
    """读数校核 / what the rules of docs/readings.md find in a month of readings; nothing is changed."""
    from jobs.month_readings import check_month
    from market.periods import Month
    from market.profiles import profile as packaged
    from reports.labels import FINDINGS, SEVERITIES, Labels
    from warehouse.home import home

    asked = Month.parse(month)
    rules = packaged(profile).reaching_back_to(asked.first)
    checked = check_month(home(), asked, rules, None if as_of is None else instant(as_of))
    found = sorted((*checked.gaps, *checked.findings), key=lambda one: (one.severity, one.code, one.subject))
    if as_json:
        print_json(
            [
                {
                    "code": one.code,
                    "severity": str(one.severity),
                    "meter_id": one.subject,
                    "city": one.city,
                    "sentence": one.sentence,
                    "evidence": one.evidence,
                }
                for one in found
            ]
        )
        return
    labels = Labels(lang)
    table = Table(*HEADS[lang])
    for one in found:
        table.add_row(
            labels.of(SEVERITIES, one.severity),
            labels.of(FINDINGS, one.code),
            one.subject,
            labels.sentence(one.code, one.sentence),
        )
    out.print(table)
