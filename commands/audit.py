"""``gridsettle audit``: rules, cities and open exceptions of a run."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer
from rich.table import Table

from commands.terminal import Json, Lang, Language, out, print_json


def audit(
    run: str,
    on: Annotated[
        str | None, typer.Option("--on", help="Count ages to YYYY-MM-DD; by default today.")
    ] = None,
    as_json: Json = False,
    lang: Lang = Language.ZH,
) -> None:
    """审核 / what the audit rules found, how much passed by itself, how old is what is open, by city."""
    from jobs.audit import audit
    from reports.labels import Labels
    from warehouse.home import home

    done = audit(home(), run, date.today() if on is None else date.fromisoformat(on))  # noqa: DTZ011
    if as_json:
        print_json(
            {
                "run_id": done.run.run_id,
                "on": str(done.on),
                "rules": [{**vars(row), "at_stake_cny": str(row.at_stake_cny)} for row in done.rules],
                "cities": [
                    {
                        **vars(row),
                        "pass_share": None if row.pass_share is None else f"{row.pass_share:.6f}",
                        "worked_days": None if row.worked_days is None else f"{row.worked_days:.2f}",
                        "at_stake_cny": str(row.at_stake_cny),
                    }
                    for row in done.cities
                ],
            }
        )
        return
    labels = Labels(lang)
    table = Table(
        *(
            labels(word)
            for word in (
                "audit_rule",
                "finding_name",
                "audit_looked_at",
                "audit_found",
                "audit_open",
                "at_stake",
            )
        )
    )
    for row in done.rules:
        name = row.name_zh if lang == "zh" else row.name_en
        looked = "" if row.looked_at is None else str(row.looked_at)
        table.add_row(row.rule_id, name, looked, str(row.findings), str(row.open), f"{row.at_stake_cny:,}")
    out.print(table)
    heads = ("city", "audit_accounts", "audit_passed", "audit_share", "audit_exceptions", "audit_open")
    ages = ("audit_age_2", "audit_age_5", "audit_age_10", "audit_age_more", "audit_oldest", "audit_worked")
    table = Table(*(labels(word) for word in (*heads, *ages, "at_stake")))
    for city in done.cities:
        table.add_row(
            labels.city(city.city),
            str(city.accounts),
            str(city.passed),
            "" if city.pass_share is None else f"{city.pass_share:.2%}",
            str(city.exceptions),
            str(city.open),
            *map(str, city.ages),
            "" if city.oldest_days is None else str(city.oldest_days),
            "" if city.worked_days is None else f"{city.worked_days:.1f}",
            f"{city.at_stake_cny:,}",
        )
    out.print(table)
    out.print(f"{done.run.alias}, {done.on}")
