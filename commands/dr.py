"""``gridsettle dr``: events from award to the allocation page."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from commands.terminal import Json, Lang, Language, instant, out, print_json

dr_app = typer.Typer(
    no_args_is_help=True, help="需求响应 / events: award, settle, bridge, allocation page, baseline lab."
)


@dr_app.command("list")
def dr_list(
    month: Annotated[str | None, typer.Argument(help="YYYY-MM; every month without it.")] = None,
    as_json: Json = False,
) -> None:
    """事件清单 / every event and where it stands."""
    from jobs.dr_list import list_events
    from market.periods import Month
    from warehouse.home import home

    rows = list_events(home(), None if month is None else Month.parse(month))
    if as_json:
        print_json([row.as_json() for row in rows])
        return
    table = Table("event", "program", "date", "window", "need MW", "awards", "kW", "state", "reports")
    for row in rows:
        cells = (row.event_id, row.program_id, row.date, row.window, row.need_mw, str(row.awarded))
        table.add_row(*cells, row.committed_kw, row.state, ", ".join(map(str, row.reports)))
    out.print(table)


@dr_app.command("clear")
def dr_clear(event: str, profile: str = "SD_2022", as_json: Json = False, lang: Lang = Language.ZH) -> None:
    """出清 / award an event's offers: price, capacity, id; the awards as a file to ingest, the reserve list."""
    from jobs.dr_clear import clear_event
    from warehouse.home import home

    done = clear_event(home(), event, profile_name=profile)
    if as_json:
        print_json(done.as_json())
        return
    for line in done.summary(lang):
        out.print(line)


@dr_app.command("settle")
def dr_settle(
    event: str,
    profile: str = "SD_2022",
    as_of: Annotated[str | None, typer.Option(help="ISO instant: what was known then.")] = None,
    as_json: Json = False,
    lang: Lang = Language.ZH,
) -> None:
    """预结算 / one event: baseline, response, payment, allocation, as a provisional report."""
    from jobs.dr_settle import settle_event_report
    from warehouse.home import home

    known = None if as_of is None else instant(as_of)
    report = settle_event_report(home(), event, profile_name=profile, as_of=known, lang=lang)
    if as_json:
        print_json({**report.facts, "page": str(report.page)})
        return
    for line in report.summary(lang):
        out.print(line)


@dr_app.command("bridge")
def dr_bridge(
    event: str,
    run: Annotated[
        str | None, typer.Option(help="The month's newest final run, else draft, without it.")
    ] = None,
    as_json: Json = False,
    lang: Lang = Language.ZH,
) -> None:
    """差异 / from an event's provisional report to its month's run, by cause, to the fen."""
    from jobs.dr_bridge import bridge_event
    from warehouse.home import home

    done = bridge_event(home(), event, run_name=run)
    if as_json:
        print_json(done.as_json())
        return
    for line in done.summary(lang):
        out.print(line)


@dr_app.command("page")
def dr_page(run: str, lang: Lang = Language.ZH) -> None:
    """分摊报告 / the allocation page of a run: who gained, who pays, what another rule would do."""
    from jobs.dr_report import write_allocation_page
    from warehouse.home import home

    out.print(str(write_allocation_page(home(), run, lang=lang)))


@dr_app.command("lab")
def dr_lab(
    month: str,
    periods: Annotated[
        str | None, typer.Option(help="First and last period, like 69-80; the month's events without it.")
    ] = None,
    profile: str = "SD_2022",
    as_json: Json = False,
    lang: Lang = Language.ZH,
) -> None:
    """基线实验室 / every method on days without an event; a method chosen for each participant by evidence."""
    from jobs.dr_lab import try_baselines, window_of, write_lab
    from market.periods import Month
    from warehouse.home import home

    window = None if periods is None else window_of(periods)
    lab = try_baselines(home(), Month.parse(month), window=window, profile_name=profile)
    folder = write_lab(home(), lab)
    if as_json:
        print_json({**lab.as_json(), "folder": str(folder)})
        return
    for line in [*lab.lines(lang), str(folder)]:
        out.print(line)
