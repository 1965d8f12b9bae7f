"""``gridsettle bid``: tomorrow's bid file."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import typer
import typer.core

from commands.terminal import Lang, Language, out


class _BidGroup(typer.core.TyperGroup):
    """``gridsettle bid DATE`` makes a bid; ``bid check FILE`` and ``bid show DATE`` are its siblings."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["make", *args]
        return super().resolve_command(ctx, args)


bid_app = typer.Typer(
    cls=_BidGroup, no_args_is_help=True, help="省间现货申报 / bid DATE, bid check FILE, bid show DATE."
)


@bid_app.command("make", hidden=True)
def bid_make(day: str, lang: Lang = Language.ZH, solver: str = "highs", seconds: float = 20.0) -> None:
    """申报 / forecast, scenarios, optimize, check, bid file for DAY (YYYY-MM-DD)."""
    from jobs.bid import make_bid
    from warehouse.home import home

    result = make_bid(home(), date.fromisoformat(day), solver=solver, time_limit=seconds)
    for line in result.summary(lang):
        out.print(line)


@bid_app.command("check")
def bid_check(file: Path, profile: str = "IPSPOT_2022_TRIAL") -> None:
    """校核 / check any bid file against the profile, the gap and the capability."""
    from jobs.bid import check_bid
    from warehouse.home import home

    problems = check_bid(home(), file, profile_name=profile)
    for problem in problems:
        out.print(problem)
    if problems:
        raise ValueError(
            f"{file.name} has {len(problems)} problems and may not be handed in; mend them and check again."
        )
    out.print(f"{file.name} keeps every rule of {profile}.")


@bid_app.command("show")
def bid_show(day: str) -> None:
    """说明 / why yesterday's or tomorrow's bid looks as it does."""
    from jobs.bid import show_bid
    from warehouse.home import home

    for line in show_bid(home(), date.fromisoformat(day)):
        out.print(line)


@bid_app.command("override")
def bid_override(day: str, file: Path, reason: str = typer.Option(..., help="why / 理由")) -> None:
    """人工调整 / take a bid made by hand as the next version; a second person must approve it."""
    from jobs.bid_desk import override
    from warehouse.home import home

    made = override(home(), date.fromisoformat(day), file, reason)
    for problem in made.facts["notes"]:
        out.print(problem)
    out.print(str(made.file))


@bid_app.command("approve")
def bid_approve(day: str, version: int | None = None, reason: str = "") -> None:
    """批准 / approve a version of the bid, the newest by default."""
    from jobs.bid_desk import approve
    from warehouse.home import home

    approved = approve(home(), date.fromisoformat(day), version, reason)
    out.print(f"{approved.file.name} {approved.facts['bid']['sha256']}")


@bid_app.command("hand-in")
def bid_hand_in(day: str) -> None:
    """报送 / write the approved bid for the trading platform."""
    from jobs.bid_desk import hand_in
    from warehouse.home import home

    out.print(str(hand_in(home(), date.fromisoformat(day))))


@bid_app.command("history")
def bid_history(day: str) -> None:
    """版本 / every version of a day's bid, who did what and when."""
    from jobs.bid_desk import history
    from warehouse.home import home

    for version, acts in history(home(), date.fromisoformat(day)):
        out.print(f"v{version.version} {version.label} {version.facts['bid']['mwh']} MWh")
        for act in acts:
            out.print(f"  {act.at} {act.act} {act.person} {act.account} {act.reason}")
