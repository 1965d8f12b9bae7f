"""``gridsettle reconcile``: our lines against the trading centre's statement."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import typer
from rich.table import Table

from commands.terminal import Json, Lang, Language, out, print_json


def reconcile(
    month: Annotated[str, typer.Argument(metavar="MONTH", help="YYYY-MM")],
    run: Annotated[str | None, typer.Option(help="A run of the month; by default its newest.")] = None,
    as_json: Json = False,
    lang: Lang = Language.ZH,
) -> None:
    """对账 / compare a run with the received 结算依据: what differs, how, and the money at stake."""
    from jobs.reconcile import reconcile
    from market.money import yuan
    from market.periods import Month
    from reports.labels import FINDINGS, SEVERITIES, Labels
    from reports.reconcile_words import VERDICTS
    from warehouse.home import home

    done = reconcile(home(), Month.parse(month), run_name=run, lang=lang)
    if as_json:
        print_json(
            {
                "run_id": done.run.run_id,
                "reconciliation": done.kept.folder.name,
                "compared": len(done.compared),
                "verdicts": dict(Counter(str(one.verdict) for one in done.compared)),
                "at_stake_cny": str(yuan(done.at_stake_fen)),
                "findings": [
                    {
                        "code": one.code,
                        "severity": str(one.severity),
                        "subject": one.subject,
                        "city": one.city,
                        "sentence": one.sentence,
                        "amount_at_stake_cny": str(yuan(one.amount_at_stake_fen or 0)),
                    }
                    for one in done.findings
                ],
                "files": [str(file) for file in done.files],
            }
        )
        return
    labels = Labels(lang)
    table = Table("", "code", "what", "yuan")
    for one in sorted(done.findings, key=lambda one: -(one.amount_at_stake_fen or 0)):
        table.add_row(
            labels.of(SEVERITIES, one.severity),
            labels.of(FINDINGS, one.code),
            one.sentence,
            f"{yuan(one.amount_at_stake_fen or 0):,}",
        )
    out.print(table)
    counts = Counter(one.verdict for one in done.compared)
    said = ", ".join(f"{labels.of(VERDICTS, verdict)} {count}" for verdict, count in sorted(counts.items()))
    out.print(f"{done.run.alias}: {len(done.compared)} compared ({said})")
    out.print(f"{len(done.findings)} findings, {yuan(done.at_stake_fen):,} 元 at stake")
    for file in done.files:
        out.print(str(file))
