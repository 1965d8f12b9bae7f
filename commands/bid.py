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
def bid_make(day: str, lang: Lang = Language.ZH) -> None:
    """申报 / forecast, scenarios, optimize, check, bid file for DAY (YYYY-MM-DD)."""
    from jobs.bid import make_bid
    from warehouse.home import home

    result = make_bid(home(), date.fromisoformat(day))
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
