"""``gridsettle run`` and ``report``: the life of a run and what people read of it."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer
from rich.table import Table

from commands.terminal import Json, Lang, Language, bars, out, print_json

run_app = typer.Typer(no_args_is_help=True, help="结算批次 / the life of a run.")


@run_app.command("list")
def run_list(as_json: Json = False) -> None:
    """批次清单 / every run."""
    from warehouse.home import home
    from warehouse.runs import list_runs

    runs = list_runs(home())
    if as_json:
        print_json([{**vars(run), "folder": str(run.folder)} for run in runs])
        return
    table = Table("run", "alias", "status", "fingerprint")
    for run in runs:
        table.add_row(run.run_id, run.alias, run.status, run.fingerprint[:16])
    out.print(table)


@run_app.command("show")
def run_show(run: str, as_json: Json = False) -> None:
    """批次内容 / totals, inputs and outputs of a run."""
    from warehouse.home import home
    from warehouse.runs import find_run

    found = find_run(home(), run)
    manifest = found.manifest
    if as_json:
        print_json(manifest)
        return
    out.print(f"{found.alias}  {found.run_id}  {found.status}")
    for key, value in manifest["totals"].items():
        out.print(f"  {key}: {value}")
    out.print(
        f"  as of: {manifest['as_of']}, profile {manifest['profile']}, software {manifest['software_version']}"
    )
    table = Table("output", "rows", "sha256")
    for entry in manifest["outputs"]:
        table.add_row(entry["path"], str(entry["rows"]), entry["sha256"][:16])
    out.print(table)
    out.print(f"{len(manifest['inputs'])} input files, fingerprint {found.fingerprint}")


@run_app.command("explain")
def run_explain(
    run: str,
    participant: str,
    charge: str,
    day: Annotated[
        str | None,
        typer.Option("--date", help="YYYY-MM-DD: the day's quarter-hours, trades and rows of files."),
    ] = None,
    as_json: Json = False,
    lang: Lang = Language.ZH,
) -> None:
    """追溯 / from a line to days, quarter-hours and trades, and to the rows of the files they came from."""
    from jobs.explain import explain
    from reports.explanation_text import explanation_lines
    from warehouse.home import home

    found = explain(home(), run, participant, charge, None if day is None else date.fromisoformat(day))
    if as_json:
        print_json(found.as_json())
        return
    for line in explanation_lines(found, lang):
        out.print(line, markup=False)


def report(
    run: str,
    participant: Annotated[
        list[str] | None, typer.Option(help="Only these participants' statements.")
    ] = None,
    pdf: Annotated[bool, typer.Option("--pdf", help="The statements as PDF too.")] = False,
    lang: Lang = Language.ZH,
) -> None:
    """报表 / statements, month page and workbook of a run."""
    from jobs.report import write_reports
    from warehouse.home import home

    written = write_reports(
        home(), run, participants=participant, lang=lang, pdf=pdf, progress=bars(lang, False)
    )
    whole = [file.name for file in (written.month_page, written.workbook) if file is not None]
    out.print(", ".join([f"{len(written.statements)} statements", *whole]))
    out.print(str(written.folder))
