"""``gridsettle clock``: when each step of a month or a day is due, and who owes it."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated

import typer
from rich.table import Table

from commands.terminal import Json, Lang, Language, out, print_json

HEADS = {
    "zh": ("日期", "星期", "时间", "工作日", "事项", "责任方", "依据"),
    "en": ("date", "", "time", "working day", "step", "owner", "clause"),
}
WEEKDAYS = {"zh": "一二三四五六日", "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")}


def clock(
    when: Annotated[str, typer.Argument(metavar="MONTH|DATE", help="YYYY-MM, or YYYY-MM-DD for one day.")],
    profile: str = "SD_2022",
    as_json: Json = False,
    lang: Lang = Language.ZH,
) -> None:
    """时钟 / when each step of a month's close, or of a delivery day, is due and who owes it."""
    from market.calendars import ChinaCalendar
    from market.clock import day_deadlines, month_deadlines
    from market.periods import Month
    from market.profiles import profile as packaged

    rules, calendar = packaged(profile), ChinaCalendar()
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", when):
        day = date.fromisoformat(when)
        due = day_deadlines(rules.reaching_back_to(day), day, calendar)
    else:
        month = Month.parse(when)
        due = month_deadlines(rules.reaching_back_to(month.first), month, calendar)
    if as_json:
        print_json(
            [
                {
                    "step": one.code,
                    "day": one.day,
                    "at": None if one.at is None else f"{one.at:%H:%M}",
                    "owner": one.owner.code,
                    "clause": one.step.clause,
                    "certainty": one.step.certainty,
                    "announced": one.announced,
                }
                for one in due
            ]
        )
        return
    table = Table(*HEADS[lang])
    for one in due:
        worked = calendar.working_day_number(one.day)
        table.add_row(
            str(one.day),
            WEEKDAYS[lang][one.day.weekday()],
            "" if one.at is None else f"{one.at:%H:%M}",
            "" if worked is None else str(worked),
            one.step.name_zh if lang == "zh" else one.step.name_en,
            one.owner.name_zh if lang == "zh" else one.owner.name_en,
            one.step.clause,
        )
    out.print(table)
    open_years = sorted({one.day.year for one in due if not one.announced})
    if open_years:
        out.print(
            f"The days off and make-up days of {', '.join(map(str, open_years))} are not in the calendar yet; "
            "these days may still move.",
            style="yellow",
        )
