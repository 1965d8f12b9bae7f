"""``gridsettle run correct``, ``bridge`` and ``reproduce``: from one version of a month to another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from commands.run import run_app
from commands.terminal import Json, Lang, Language, bars, instant, out, print_json

SHOWN = 20


@run_app.command("correct")
def run_correct(
    month: str,
    into: Annotated[
        str | None,
        typer.Option(help="YYYY-MM that takes the difference; default: after the newest final month."),
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="Other rules than those the month was settled by.")
    ] = None,
    as_of: Annotated[str | None, typer.Option(help="ISO instant: what was known then.")] = None,
    as_json: Json = False,
    lang: Lang = Language.ZH,
) -> None:
    """追退补 / recompute a final month with what came since and post the difference into the current month."""
    from jobs.correct_month import correct
    from market.periods import Month
    from warehouse.home import home

    done = correct(
        home(),
        Month.parse(month),
        into=None if into is None else Month.parse(into),
        profile_name=profile,
        as_of=None if as_of is None else instant(as_of),
        progress=bars(lang, as_json),
    )
    run = done.run
    posted = run.manifest["posted_into"]
    if as_json:
        print_json({"run_id": run.run_id, "alias": run.alias, "status": run.status, "posted_into": posted})
        return
    word = "computed" if done.computed else "exists already"
    out.print(f"{run.alias}  {run.run_id}  {run.status}  posted into {posted}  ({word})")
    out.print(f"gridsettle run bridge {run.previous} {run.run_id}")


@run_app.command("bridge")
def run_bridge(
    old: str,
    new: str,
    csv: Annotated[Path | None, typer.Option(help="Write every line with its causes to this file.")] = None,
    participant: Annotated[str | None, typer.Option(help="Only this participant's lines.")] = None,
    as_json: Json = False,
    lang: Lang = Language.ZH,
) -> None:
    """版本差异 / what changed between two runs, by cause, to the fen."""
    from jobs.bridge import bridge
    from reports.bridge_text import bridge_csv, line_rows, waterfall_rows
    from warehouse.home import home

    found = bridge(home(), old, new, progress=bars(lang, as_json))
    rows = [row for row in found.rows if participant in (None, row.participant_id)]
    if csv is not None:
        csv.write_text(bridge_csv(rows, found.cities), "utf-8-sig")
    if as_json:
        print_json(found.as_json())
        return
    out.print(f"{found.old.alias} → {found.new.alias}")
    words = ("原因", "应付", "应收", "净额") if lang == "zh" else ("cause", "charges", "credits", "net")
    table = Table(words[0], *(Column(word, justify="right") for word in words[1:]))
    for row in waterfall_rows(found.waterfall(), lang):
        table.add_row(*row)
    out.print(table)
    for change in found.changes:
        out.print(f"{change.cause}: {', '.join(change.came) or '–'}", markup=False)
    words = (
        ("主体", "科目", "上版金额", "差额", "原因")
        if lang == "zh"
        else ("participant", "charge", "before", "difference", "causes")
    )
    table = Table(*words[:2], *(Column(word, justify="right") for word in words[2:4]), words[4])
    shown = (
        rows if participant is not None else sorted(rows, key=lambda row: -abs(row.difference_fen))[:SHOWN]
    )
    for line in line_rows(shown, found.reasons, lang):
        table.add_row(*line)
    out.print(table)
    if len(shown) < len(rows):
        out.print(f"{len(shown)} / {len(rows)}; --csv, --json, --participant")


@run_app.command("reproduce")
def run_reproduce(
    run: str,
    into: Annotated[
        Path | None,
        typer.Option(help="Another home: it gets the inputs, the runs before it, and the run itself."),
    ] = None,
    lang: Lang = Language.ZH,
) -> None:
    """复现 / compute a past run again from its manifest and compare every byte."""
    from jobs.reproduce import reproduce
    from warehouse.home import home

    done = reproduce(home(), run, into=None if into is None else home(into), progress=bars(lang, False))
    if done.differences:
        raise ValueError(f"{done.run.alias} does not come out again: " + " ".join(done.differences))
    out.print(
        f"{done.run.alias}: every output has the hash its manifest names; fingerprint {done.run.fingerprint}; "
        f"{done.folder}"
    )
