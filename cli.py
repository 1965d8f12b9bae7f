"""``gridsettle``: the jobs from a terminal (architecture §5). Exit status 0 done, 1 refused, 2 usage."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
import typer.core
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Table

Item = TypeVar("Item")
out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 160)
err = Console(stderr=True, highlight=False, soft_wrap=True)

LABELS = {
    "zh": {
        "ingest": "入库",
        "bid": "报价",
        "settle": "结算",
        "report": "报表",
        "energy": "电量",
        "money": "金额",
        "events": "需求响应",
        "findings": "异常",
        "where": "报表位置",
        "fingerprint": "指纹",
    },
    "en": {
        "ingest": "ingest",
        "bid": "bid",
        "settle": "settle",
        "report": "reports",
        "energy": "energy",
        "money": "money",
        "events": "demand response",
        "findings": "findings",
        "where": "reports",
        "fingerprint": "fingerprint",
    },
}

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="省级电网: 省间现货购电、日清月结、需求响应费用分摊 / purchase, settlement and demand response.",
)
settle_app = typer.Typer(no_args_is_help=True, help="月结 / settle a month.")
run_app = typer.Typer(no_args_is_help=True, help="结算批次 / the life of a run.")
app.add_typer(settle_app, name="settle")
app.add_typer(run_app, name="run")

Json = Annotated[bool, typer.Option("--json", help="JSON for machines.")]


class Language(StrEnum):
    """Labels of tables and reports."""

    ZH = "zh"
    EN = "en"


class RunKind(StrEnum):
    """核对版, 正式版, 追退补."""

    DRAFT = "draft"
    FINAL = "final"
    CORRECTION = "correction"


Lang = Annotated[Language, typer.Option("--lang")]


def main() -> None:
    """Run the command line; a refusal is one sentence on standard error and exit status 1."""
    try:
        app()
    except (ValueError, LookupError, OSError, RuntimeError, ArithmeticError, AssertionError) as refusal:
        err.print(f"gridsettle: {_sentence(refusal)}", style="bold red")
        sys.exit(1)


def _sentence(refusal: BaseException) -> str:
    return str(refusal.args[0]) if isinstance(refusal, KeyError) and refusal.args else str(refusal)


def _bars(lang: str, quiet: bool) -> Any:
    def progress(items: Iterable[Item], label: str, *, total: int) -> Iterator[Item]:
        if quiet or not err.is_terminal:
            yield from items
            return
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Bar(*columns, console=err, transient=True) as bar:
            yield from bar.track(items, total=total, description=LABELS[lang].get(label, label))

    return progress


def _print_json(content: Any) -> None:
    out.print_json(json.dumps(content, ensure_ascii=False, default=str))


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
def ingest(paths: list[Path], as_json: Json = False, lang: Lang = Language.ZH) -> None:
    """入库 / take files or folders in; what is wrong goes to quarantine with a reason."""
    from ingest.deliver import deliver_many
    from warehouse.home import home

    receipts = deliver_many(home(), paths, on_progress=_ticker(lang, as_json))
    if as_json:
        _print_json([vars(receipt) for receipt in receipts])
    else:
        table = Table("file", "table", "status", "rows", "accepted", "quarantined", "revised", "reason")
        for one in receipts:
            table.add_row(
                one.file_name,
                one.table or "",
                one.status,
                *(str(number) for number in (one.rows, one.accepted, one.quarantined, one.revised)),
                one.reason or "",
            )
        out.print(table)
    if any(receipt.status == "rejected" for receipt in receipts):
        raise typer.Exit(1)


def _ticker(lang: str, quiet: bool) -> Any:
    if quiet or not err.is_terminal:
        return None

    def tick(receipt: Any) -> None:
        err.print(f"{LABELS[lang]['ingest']}  {receipt.file_name}: {receipt.status}", style="dim")

    return tick


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

    known = None if as_of is None else _instant(as_of)
    done = settle(
        home(),
        Month.parse(month),
        kind=kind,
        profile_name=profile,
        as_of=known,
        force=force,
        progress=_bars(lang, as_json),
    )
    if as_json:
        _print_json({"run_id": done.run.run_id, "alias": done.run.alias, "status": done.run.status})
    else:
        word = "computed" if done.computed else "exists already"
        out.print(f"{done.run.alias}  {done.run.run_id}  {done.run.status}  ({word})")
    if done.differences:
        raise ValueError("The run differs from what its inputs give: " + " ".join(done.differences))


def _instant(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no offset; write it like 2022-08-05T12:00:00+08:00.")
    return moment


@run_app.command("list")
def run_list(as_json: Json = False) -> None:
    """批次清单 / every run."""
    from warehouse.home import home
    from warehouse.runs import list_runs

    runs = list_runs(home())
    if as_json:
        _print_json([{**vars(run), "folder": str(run.folder)} for run in runs])
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
        _print_json(manifest)
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


@run_app.command("verify")
def run_verify(run: str) -> None:
    """校验 / hash every file of a run again."""
    from warehouse.home import home
    from warehouse.runs import find_run, verify

    found = find_run(home(), run)
    problems = verify(found)
    if problems:
        raise ValueError(" ".join(problems))
    out.print(f"{found.alias}: every file has the hash its manifest names; fingerprint {found.fingerprint}.")


@app.command()
def report(
    run: str,
    participant: Annotated[
        list[str] | None, typer.Option(help="Only these participants' statements.")
    ] = None,
    lang: Lang = Language.ZH,
) -> None:
    """报表 / statements, month page and workbook of a run."""
    from jobs.report import write_reports
    from warehouse.home import home

    written = write_reports(home(), run, participants=participant, lang=lang, progress=_bars(lang, False))
    out.print(f"{len(written.statements)} statements, {written.month_page.name}, {written.workbook.name}")
    out.print(str(written.folder))


class _BidGroup(typer.core.TyperGroup):
    """``gridsettle bid DATE`` makes a bid; ``bid check FILE`` and ``bid show DATE`` are its siblings."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["make", *args]
        return super().resolve_command(ctx, args)


bid_app = typer.Typer(
    cls=_BidGroup, no_args_is_help=True, help="省间现货申报 / bid DATE, bid check FILE, bid show DATE."
)
app.add_typer(bid_app, name="bid")


@bid_app.command("make", hidden=True)
def bid_make(day: str, lang: Lang = Language.ZH) -> None:
    """申报 / forecast, scenarios, optimize, check, bid file for DAY (YYYY-MM-DD)."""
    from jobs.bid import make_bid
    from warehouse.home import home

    result = make_bid(home(), date.fromisoformat(day))
    for line in result.summary(lang):
        out.print(line)


@bid_app.command("check")
def bid_check(file: Path) -> None:
    """校核 / check any bid file against the profile, the gap and the capability."""
    from jobs.bid import check_bid
    from warehouse.home import home

    problems = check_bid(home(), file)
    for problem in problems:
        out.print(problem)
    if problems:
        raise ValueError(
            f"{file.name} has {len(problems)} problems and may not be handed in; mend them and check again."
        )
    out.print(f"{file.name} keeps every rule of the profile.")


@bid_app.command("show")
def bid_show(day: str) -> None:
    """说明 / why yesterday's or tomorrow's bid looks as it does."""
    from jobs.bid import show_bid
    from warehouse.home import home

    for line in show_bid(home(), date.fromisoformat(day)):
        out.print(line)


@app.command()
def demo(lang: Lang = Language.ZH) -> None:
    """演示 / the main job on the sample month: ingest, one bid day, the month, reports."""
    from jobs.demo import run_demo
    from warehouse.home import home

    for label, sentence in run_demo(home(), progress=_bars(lang, False), lang=lang):
        out.print(f"{LABELS[lang][label]:<8} {sentence}")


if __name__ == "__main__":
    main()
