"""``gridsettle``: the jobs from a terminal (architecture §5). Exit status 0 done, 1 refused, 2 usage."""

from __future__ import annotations

import sys

import typer
from rich.table import Table

from commands import versions as versions  # noqa: PLC0414 - adds its commands to run
from commands.audit import audit
from commands.bid import bid_app
from commands.case import case_app
from commands.charge import charge_app
from commands.clock import clock
from commands.dr import dr_app
from commands.hand_over import control_pack, drill, hand_over_commands
from commands.ingest import ingest_app
from commands.market import clear, paths
from commands.readings import readings
from commands.reconcile import reconcile
from commands.review import review
from commands.run import report, run_app
from commands.run_life import life_commands
from commands.settle import settle_app
from commands.terminal import LABELS, Lang, Language, bars, err, out

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="省级电网: 省间现货购电、日清月结、需求响应费用分摊 / purchase, settlement and demand response.",
)
for name, group in (
    ("settle", settle_app),
    ("run", run_app),
    ("case", case_app),
    ("dr", dr_app),
    ("bid", bid_app),
    ("ingest", ingest_app),
    ("charge", charge_app),
):
    app.add_typer(group, name=name)
life_commands(run_app)
hand_over_commands(run_app)
for command in (report, paths, clear, clock, readings, audit, reconcile, review, control_pack, drill):
    app.command()(command)


def main() -> None:
    """Run the command line; a refusal is one sentence on standard error and exit status 1."""
    try:
        app()
    except (ValueError, LookupError, OSError, RuntimeError, ArithmeticError, AssertionError) as refusal:
        err.print(f"gridsettle: {_sentence(refusal)}", style="bold red")
        sys.exit(1)


def _sentence(refusal: BaseException) -> str:
    return str(refusal.args[0]) if isinstance(refusal, KeyError) and refusal.args else str(refusal)


@app.command()
def init() -> None:
    """建库 / create the home folder and its database."""
    from warehouse.home import create, home

    at = home()
    create(at)
    out.print(f"Home {at.root} is ready.")


@app.command()
def doctor() -> None:
    """自检 / versions, solver, database, disk."""
    from jobs.doctor import examine
    from warehouse.home import home

    checks = examine(home())
    table = Table("check", "", "what")
    for check in checks:
        table.add_row(check.name, "ok" if check.passed else "NO", check.sentence)
    out.print(table)
    if not all(check.passed for check in checks):
        raise typer.Exit(1)


@app.command()
def demo(lang: Lang = Language.ZH) -> None:
    """演示 / the main job on the sample month: ingest, one bid day, the month, reports."""
    from jobs.demo import run_demo
    from warehouse.home import home

    for label, sentence in run_demo(home(), progress=bars(lang, False), lang=lang):
        out.print(f"{LABELS[lang][label]:<8} {sentence}")


if __name__ == "__main__":
    main()
