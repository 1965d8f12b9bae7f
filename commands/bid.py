"""``gridsettle bid``: tomorrow's bid file."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
import typer.core

from commands.terminal import Lang, Language, out


class _BidGroup(typer.core.TyperGroup):
    """``gridsettle bid DATE`` makes a bid; ``bid check FILE`` and ``bid show DATE`` are its siblings."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["make", *args]
        return super().resolve_command(ctx, args)


Stage = Annotated[str, typer.Option(help="day_ahead or intraday / 日前, 日内")]
Round = Annotated[int, typer.Option("--round", help="round of the day / 轮次")]


def _session(stage: str, number: int) -> Any:
    from jobs.bid_session import Session

    return Session(stage, number)


bid_app = typer.Typer(
    cls=_BidGroup, no_args_is_help=True, help="省间现货申报 / bid DATE, bid check FILE, bid show DATE."
)


@bid_app.command("make", hidden=True)
def bid_make(
    day: str,
    lang: Lang = Language.ZH,
    solver: str = "highs",
    seconds: float = 20.0,
    stage: Stage = "day_ahead",
    number: Round = 1,
    profile: str = "IPSPOT_2022_TRIAL",
    as_of: str = typer.Option(
        "",
        help="what was known at a moment (ISO with offset), or `gate`: when the window closed / 按当时所知",
    ),
) -> None:
    """申报 / forecast, scenarios, optimize, check, bid file for DAY (YYYY-MM-DD) or a round of it."""
    from datetime import datetime

    from jobs.bid import make_bid
    from market.profiles import profile as rules
    from warehouse.home import home

    of, session = date.fromisoformat(day), _session(stage, number)
    gate = session.of(rules(profile).traded).gate(of, rules(profile).traded)
    known = gate if as_of == "gate" else datetime.fromisoformat(as_of) if as_of else None
    result = make_bid(
        home(),
        of,
        session=session,
        solver=solver,
        time_limit=seconds,
        profile_name=profile,
        as_of=known,
        score_own=True,
    )
    for line in result.summary(lang):
        out.print(line)


@bid_app.command("check")
def bid_check(file: Path, profile: str = "IPSPOT_2022_TRIAL") -> None:
    """校核 / check any bid file against the profile, the gap and the capability."""
    from jobs.bid_checks import check_bid
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
def bid_show(day: str, stage: Stage = "day_ahead", number: Round = 1) -> None:
    """说明 / why yesterday's or tomorrow's bid looks as it does."""
    from jobs.bid_shown import show_bid
    from warehouse.home import home

    for line in show_bid(home(), date.fromisoformat(day), _session(stage, number)):
        out.print(line)


@bid_app.command("override")
def bid_override(
    day: str,
    file: Path,
    reason: str = typer.Option(..., help="why / 理由"),
    stage: Stage = "day_ahead",
    number: Round = 1,
) -> None:
    """人工调整 / take a bid made by hand as the next version; a second person must approve it."""
    from jobs.bid_desk import override
    from warehouse.home import home

    made = override(home(), date.fromisoformat(day), file, reason, _session(stage, number))
    for problem in made.facts["notes"]:
        out.print(problem)
    out.print(str(made.file))


@bid_app.command("approve")
def bid_approve(
    day: str,
    version: int | None = None,
    reason: str = "",
    stage: Stage = "day_ahead",
    number: Round = 1,
) -> None:
    """批准 / approve a version of the bid, the newest by default."""
    from jobs.bid_desk import approve
    from warehouse.home import home

    approved = approve(home(), date.fromisoformat(day), version, reason, _session(stage, number))
    out.print(f"{approved.file.name} {approved.facts['bid']['sha256']}")


@bid_app.command("reject")
def bid_reject(
    day: str,
    version: int,
    reason: str = typer.Option(..., help="why / 理由"),
    stage: Stage = "day_ahead",
    number: Round = 1,
) -> None:
    """退回 / refuse a version, with a reason; it is not handed in."""
    from jobs.bid_desk import reject
    from warehouse.home import home

    out.print(reject(home(), date.fromisoformat(day), version, reason, _session(stage, number)).file.name)


@bid_app.command("close")
def bid_close(day: str, stage: Stage = "day_ahead", number: Round = 1) -> None:
    """收口 / hand in what was approved last, else the bid made by rule; what is handed in stays."""
    from jobs.bid_desk import close
    from warehouse.home import home

    out.print(str(close(home(), date.fromisoformat(day), _session(stage, number))))


@bid_app.command("hand-in")
def bid_hand_in(day: str, stage: Stage = "day_ahead", number: Round = 1) -> None:
    """报送 / write the approved bid for the trading platform."""
    from jobs.bid_desk import hand_in
    from warehouse.home import home

    out.print(str(hand_in(home(), date.fromisoformat(day), _session(stage, number))))


@bid_app.command("history")
def bid_history(day: str, stage: Stage = "day_ahead", number: Round = 1) -> None:
    """版本 / every version of a day's bid, who did what and when."""
    from jobs.bid_desk import history
    from warehouse.home import home

    for version, acts in history(home(), date.fromisoformat(day), _session(stage, number)):
        out.print(f"v{version.version} {version.label} {version.facts['bid']['mwh']} MWh")
        for act in acts:
            out.print(f"  {act.at} {act.act} {act.person} {act.account} {act.reason}")
