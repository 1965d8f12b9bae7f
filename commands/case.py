"""``gridsettle case``: objections to lines of runs, from the letter to the correction."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from commands.terminal import Json, out, print_json

if TYPE_CHECKING:
    from jobs.cases import Case

case_app = typer.Typer(no_args_is_help=True, help="异议 / objections to lines of runs.")
Reason = Annotated[str, typer.Option("--reason", help="A sentence; it stands in the log beside your name.")]


@case_app.command("open")
def case_open(
    run: str,
    participant: str,
    charge: str,
    claim: Annotated[str, typer.Option("--claim", help="What the participant says is wrong.")],
    received: Annotated[
        str, typer.Option("--received", help="YYYY-MM-DD: the day on which the letter came in.")
    ],
    letter: Annotated[Path | None, typer.Option("--letter", help="The letter itself; it is kept.")] = None,
) -> None:
    """受理异议 / file an objection to a line; the clock of the profile says whether it came in time."""
    from jobs.cases import open_case
    from warehouse.home import home

    _say(open_case(home(), run, participant, charge, claim, date.fromisoformat(received), letter))


@case_app.command("list")
def case_list(as_json: Json = False) -> None:
    """异议清单 / every case that is for your eyes."""
    from jobs.cases import cases
    from warehouse.home import home

    found = cases(home())
    if as_json:
        print_json([_content(one) for one in found])
        return
    table = Table("case", "state", "line", "run", "received", "answer due")
    for one in found:
        table.add_row(
            one.case_id,
            one.state,
            f"{one.participant_id} {one.charge_code}",
            one.alias,
            one.received,
            one.due,
        )
    out.print(table)


@case_app.command("show")
def case_show(case_id: str, as_json: Json = False) -> None:
    """异议详情 / a case with everything that was done."""
    from jobs.cases import case
    from warehouse.home import home

    found = case(home(), case_id)
    if as_json:
        print_json(_content(found))
        return
    _say(found)
    for entry in found.acts:
        out.print(f"  {entry.at[:19]}Z  {entry.act}  {entry.person}: {entry.reason}")


@case_app.command("uphold")
def case_uphold(case_id: str, reason: Reason) -> None:
    """异议成立 / the participant is right; a correction is to follow."""
    from jobs.cases import uphold
    from warehouse.home import home

    _say(uphold(home(), case_id, reason))


@case_app.command("reject")
def case_reject(case_id: str, reason: Reason) -> None:
    """异议不成立 / the line stands."""
    from jobs.cases import reject
    from warehouse.home import home

    _say(reject(home(), case_id, reason))


@case_app.command("withdraw")
def case_withdraw(case_id: str, reason: Reason) -> None:
    """撤回异议 / the participant takes the objection back."""
    from jobs.cases import withdraw
    from warehouse.home import home

    _say(withdraw(home(), case_id, reason))


@case_app.command("link")
def case_link(case_id: str, correction: str) -> None:
    """关联追退补 / name the run that corrects the line."""
    from jobs.cases import link
    from warehouse.home import home

    _say(link(home(), case_id, correction))


@case_app.command("pack")
def case_pack(case_id: str) -> None:
    """证据包 / a zip from which an outsider recomputes the line with nothing else."""
    from jobs.evidence_pack import write_pack
    from warehouse.home import home

    out.print(str(write_pack(home(), case_id)))


def _say(found: Case) -> None:
    out.print(
        f"{found.case_id}: {found.state}; {found.participant_id} {found.charge_code} of {found.alias}, received "
        f"{found.received}, answer due before {found.due}; {found.claim}"
    )


def _content(found: Case) -> dict[str, object]:
    return {**vars(found), "acts": [vars(entry) for entry in found.acts]}
