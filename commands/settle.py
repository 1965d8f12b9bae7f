"""``gridsettle settle``: a day or a month into a run."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated

import typer

from commands.terminal import Json, Lang, Language, bars, instant, out, print_json

settle_app = typer.Typer(no_args_is_help=True, help="日清月结 / settle a day or a month.")


class RunKind(StrEnum):
    """核对版, 正式版, 追退补."""

    DRAFT = "draft"
    FINAL = "final"
    CORRECTION = "correction"


@settle_app.command("day")
def settle_day(
    day: Annotated[str, typer.Argument(metavar="DATE", help="YYYY-MM-DD")],
    profile: str = "SD_2022",
    as_of: Annotated[str | None, typer.Option(help="ISO instant: what was known then.")] = None,
    as_json: Json = False,
) -> None:
    """日清 / settle one day provisionally and write its statements."""
    from jobs.settle_day import settle_one_day, write_statements
    from warehouse.home import home

    at = home()
    known = None if as_of is None else instant(as_of)
    done = settle_one_day(at, date.fromisoformat(day), profile_name=profile, as_of=known)
    folder = write_statements(at, done.run)
    if as_json:
        print_json(
            {
                "run_id": done.run.run_id,
                "alias": done.run.alias,
                "status": done.run.status,
                "folder": str(folder),
            }
        )
        return
    word = "computed" if done.computed else "exists already"
    totals = done.run.manifest["totals"]
    out.print(f"{done.run.alias}  {done.run.run_id}  {done.run.status}  ({word})")
    out.print(
        f"{totals['lines']} lines of {totals['participants']} participants, {totals['missing_lines']} missing; "
        f"inter-provincial provisional until {totals['interprovincial_provisional_until']}"
    )
    out.print(f"not in a day: {', '.join(totals['not_in_a_day'])}", style="dim")
    out.print(str(folder))


@settle_app.command("month")
def settle_month(
    month: str,
    kind: RunKind = RunKind.DRAFT,
    profile: str = "SD_2022",
    as_of: Annotated[str | None, typer.Option(help="ISO instant: what was known then.")] = None,
    force: Annotated[bool, typer.Option(help="Compute again and compare byte by byte.")] = False,
    as_json: Json = False,
    lang: Lang = Language.ZH,
) -> None:
    """月结 / settle a month into a run."""
    from jobs.settle_month import settle
    from market.periods import Month
    from warehouse.home import home

    known = None if as_of is None else instant(as_of)
    done = settle(
        home(),
        Month.parse(month),
        kind=kind,
        profile_name=profile,
        as_of=known,
        force=force,
        progress=bars(lang, as_json),
    )
    if as_json:
        print_json({"run_id": done.run.run_id, "alias": done.run.alias, "status": done.run.status})
    else:
        word = "computed" if done.computed else "exists already"
        out.print(f"{done.run.alias}  {done.run.run_id}  {done.run.status}  ({word})")
    if done.differences:
        raise ValueError("The run differs from what its inputs give: " + " ".join(done.differences))
