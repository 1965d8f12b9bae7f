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
        "path": "路径",
        "landed": "落地价 @",
        "section": "断面",
        "name": "名称",
        "tariff": "元/MWh",
        "loss": "网损",
        "included": "电价已含",
        "document": "文件",
        "from": "执行日期",
        "remark": "说明",
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
        "path": "path",
        "landed": "landed @",
        "section": "section",
        "name": "name",
        "tariff": "yuan/MWh",
        "loss": "loss",
        "included": "in the tariff",
        "document": "document",
        "from": "in force from",
        "remark": "remark",
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
dr_app = typer.Typer(
    no_args_is_help=True, help="需求响应 / events: award, settle, bridge, allocation page, baseline lab."
)
app.add_typer(dr_app, name="dr")

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
        _print_json(found.as_json())
        return
    for line in explanation_lines(found, lang):
        out.print(line, markup=False)


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


@app.command()
def paths(
    buyer: Annotated[str, typer.Option(help="Node the power lands at.")] = "SD",
    seller_prices: Annotated[
        str, typer.Option(help="元/MWh, separated by commas.")
    ] = "0,100,200,300,500,1000",
    day: Annotated[
        str | None, typer.Option("--date", help="Figures in force on YYYY-MM-DD; the newest without it.")
    ] = None,
    route: Annotated[
        list[str] | None, typer.Option(help="Seller, channels and buyer, like NX,g20,SD; may be repeated.")
    ] = None,
    buyer_region: Annotated[bool, typer.Option(help="Charge the buyer's regional grid once.")] = True,
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="Write sections.csv and paths.csv of these paths there.")
    ] = None,
    as_json: Json = False,
    lang: Lang = Language.ZH,
) -> None:
    """路径 / landed prices over the paths to a province, and the document behind every number."""
    from jobs.paths import landed_table, prices_of, write_path_tables
    from market.channels import Route

    table = landed_table(
        buyer,
        seller_prices=prices_of(seller_prices),
        day=None if day is None else date.fromisoformat(day),
        routes=None if route is None else [Route.parse(text) for text in route],
        buyer_region_section=buyer_region,
    )
    if as_json:
        _print_json(table.as_json())
    else:
        _print_landed(table, LABELS[lang])
    if out_folder is not None:
        if table.day is None:
            raise ValueError("The tables hold from a day on; say which with --date YYYY-MM-DD.")
        for file in write_path_tables(
            out_folder, [path.route for path in table.paths], table.day, buyer_region_section=buyer_region
        ):
            err.print(str(file), style="dim")


def _print_landed(landed: Any, words: Any) -> None:
    table = Table(
        words["path"], "coe1", "price_coe", *(f"{words['landed']} {p}" for p in landed.seller_prices)
    )
    for path in landed.paths:
        cost = path.cost
        prices = (f"{price:,.3f}" for price in path.landed(landed.seller_prices))
        table.add_row(path.route.path_id, f"{cost.coe:.6f}", f"{cost.price_cny_per_mwh:.4f}", *prices)
    out.print(table)
    figures = Table()
    for name in ("section", "name", "tariff", "loss", "document", "from", "remark"):
        figures.add_column(words[name], overflow="fold")
    for one in landed.sections():
        loss = f"{(one.figure.loss_rate or 0) * 100:.2f} %"
        figures.add_row(
            one.section.section_id,
            one.section.name,
            f"{one.figure.tariff_cny_per_mwh:f}",
            f"{loss} ({words['included']})" if one.figure.loss_included else loss,
            one.figure.document,
            str(one.figure.effective_from or ""),
            one.remark,
        )
    out.print(figures)
    for path_id, reason in landed.missing.items():
        out.print(f"{path_id}: {reason}", style="yellow")


@app.command()
def clear(
    offers: Annotated[Path, typer.Option(help="node, period, segment, mw, price_cny_per_mwh.")],
    bids: Annotated[Path, typer.Option(help="The same; the newest version of a node counts.")],
    paths: Annotated[Path, typer.Option(help="With tariff and loss, or the table paths with --sections.")],
    atc: Annotated[Path, typer.Option(help="96 columns, or section_id, period, mw at the seller node.")],
    out_folder: Annotated[Path, typer.Option("--out", help="Folder the results are written to.")],
    sections: Annotated[Path | None, typer.Option(help="The table sections, for tariffs by day.")] = None,
    system: Annotated[
        Path | None, typer.Option(help="The table system: who curtails and who lacks power.")
    ] = None,
    profile: str = "IPSPOT_2022_TRIAL",
    day: Annotated[str | None, typer.Option("--date", help="Session of YYYY-MM-DD.")] = None,
    stage: Annotated[str | None, typer.Option(help="day_ahead or intraday.")] = None,
    round_number: Annotated[int | None, typer.Option("--round", help="Intraday round.")] = None,
    as_json: Json = False,
    lang: Lang = Language.ZH,
) -> None:
    """出清 / clear an inter-provincial session from files."""
    from jobs.clear import clear_session
    from jobs.session_files import SessionName

    done = clear_session(
        offers,
        bids,
        paths,
        atc,
        out_folder,
        sections=sections,
        system=system,
        session=SessionName(None if day is None else date.fromisoformat(day), stage, round_number),
        profile=profile,
        lang=lang,
    )
    if as_json:
        _print_json({**done.facts, "folder": str(done.folder), "page": str(done.page)})
        return
    for finding in done.findings.itertuples():
        out.print(f"{finding.severity}: {finding.sentence}", style="yellow")
    for line in done.summary(lang):
        out.print(line)


@dr_app.command("clear")
def dr_clear(event: str, profile: str = "SD_2022", as_json: Json = False, lang: Lang = Language.ZH) -> None:
    """出清 / award an event's offers: price, capacity, id; the awards as a file to ingest, the reserve list."""
    from jobs.dr_clear import clear_event
    from warehouse.home import home

    done = clear_event(home(), event, profile_name=profile)
    if as_json:
        _print_json(done.as_json())
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

    known = None if as_of is None else _instant(as_of)
    report = settle_event_report(home(), event, profile_name=profile, as_of=known, lang=lang)
    if as_json:
        _print_json({**report.facts, "page": str(report.page)})
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
        _print_json(done.as_json())
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
        _print_json({**lab.as_json(), "folder": str(folder)})
        return
    for line in [*lab.lines(lang), str(folder)]:
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
