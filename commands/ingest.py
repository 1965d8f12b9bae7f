"""``gridsettle ingest``: what comes in, what became of it, what waits in quarantine."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
import typer.core
from rich.table import Table

from commands.terminal import LABELS, Json, Lang, Language, err, instant, out, print_json


class _IngestGroup(typer.core.TyperGroup):
    """``gridsettle ingest PATH…`` takes files in; ``ingest status`` and the others are its siblings."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in self.commands and args[0] not in ("--help",):
            args = ["files", *args]
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0].startswith("-") and args[0] != "--help":  # options before the first path
            args = ["files", *args]
        return super().parse_args(ctx, args)


ingest_app = typer.Typer(
    cls=_IngestGroup,
    no_args_is_help=True,
    help="入库 / ingest PATH…, ingest status, ingest diff, ingest quarantine.",
)
quarantine_app = typer.Typer(
    no_args_is_help=True, help="隔离区 / rows that were not taken: list, show, release, reject."
)
ingest_app.add_typer(quarantine_app, name="quarantine")

PERIOD = re.compile(r"\d{1,2}:\d{2}")  # the column 15:00 is no line 15

Delivery = Annotated[
    str, typer.Argument(help="The beginning of the delivery's id, as `list` and `status` show it.")
]
Lines = Annotated[list[int], typer.Argument(help="Lines of the delivered file.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept with your name.")]


@ingest_app.command("files", hidden=True)
def files(paths: list[Path], as_json: Json = False, lang: Lang = Language.ZH) -> None:
    """入库 / take files or folders in; what is wrong goes to quarantine with a reason."""
    from ingest.deliver import deliver_many
    from warehouse.home import home

    receipts = deliver_many(home(), paths, on_progress=_ticker(lang, as_json))
    if as_json:
        print_json([vars(receipt) for receipt in receipts])
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


@ingest_app.command("status")
def status(month: Annotated[str | None, typer.Argument()] = None, as_json: Json = False) -> None:
    """到数情况 / every answer, gaps in running numbers, late feeds with the energy and money they touch."""
    from jobs.feeds import status as status_of
    from market.periods import Month
    from warehouse.home import home

    found = status_of(home(), None if month is None else Month.parse(month))
    if as_json:
        print_json(found.as_json())
        return
    table = Table(
        "no", "answer", "delivery", "file", "sender", "rows", "quarantined", "revised", "arrived (UTC)"
    )
    for one in found.arrivals:
        table.add_row(
            str(one.number),
            f"{one.answer} ({one.status})",
            one.delivery_id[:12],
            one.file_name,
            one.sender,
            *(str(number) for number in (one.rows, one.quarantined, one.revised)),
            f"{one.arrived_at:%Y-%m-%d %H:%M}",
        )
    out.print(table)
    for gap in found.sequence_gaps:
        out.print(
            f"{gap.sender}: {gap.feed}… skips {', '.join(map(str, gap.missing))}; ask the sender for them."
        )
    feeds = Table(
        "table",
        "city",
        "month",
        "there",
        "missing days",
        "late",
        "MWh moved",
        "yuan",
        "unpriced",
        "after run",
    )
    for feed in found.feeds:
        late = feed.late or [None]
        for one in late:
            feeds.add_row(
                feed.table,
                feed.city,
                feed.month,
                f"{feed.there}/{feed.expected}",
                _days(feed.missing_days),
                *(
                    ("", "", "", "", "")
                    if one is None
                    else (
                        f"{one.file_name}: {_days(one.days)}, by up to {one.latest_by_days} d",
                        str(one.impact.moved_mwh),
                        str(one.impact.amount_cny),
                        str(one.impact.unpriced or ""),
                        one.after_run or "",
                    )
                ),
            )
    out.print(feeds)
    for code, count in found.waiting.items():
        out.print(f"{count} rows wait in quarantine: {code}")


@ingest_app.command("table")
def table(
    name: Annotated[
        str, typer.Argument(metavar="TABLE", help="As in docs/readings.md, e.g. meters or prices.")
    ],
    month: Annotated[str, typer.Argument(metavar="MONTH", help="YYYY-MM.")],
    as_of: Annotated[str | None, typer.Option(help="ISO instant: what was known then.")] = None,
) -> None:
    """当时的表 / a table as it is known, or was known at a moment, as CSV with the delivery and line of each row."""
    import csv
    import sys

    from jobs.known_table import known_table
    from market.periods import Month
    from warehouse.home import home

    known = None if as_of is None else instant(as_of)
    csv.writer(sys.stdout, lineterminator="\n").writerows(
        known_table(home(), name, Month.parse(month), known)
    )


@ingest_app.command("diff")
def diff(
    delivery: Delivery, as_json: Json = False, most: Annotated[int, typer.Option("--most")] = 20
) -> None:
    """差异 / what a delivery changed: rows, MWh, and yuan where prices are known."""
    from jobs.delivery_diff import diff as diff_of
    from warehouse.home import home

    found = diff_of(home(), delivery)
    impact = found.impact
    if as_json:
        print_json({**asdict(found), "new": found.new, "revised": found.revised, "impact": asdict(impact)})
        return
    out.print(
        f"{found.file_name} ({found.table}, {found.delivery_id[:12]}): {found.new} new, {found.revised} revised; "
        f"net {impact.net_mwh} MWh, moved {impact.moved_mwh} MWh, about {impact.amount_cny} 元"
        + (f"; {impact.unpriced} changes have no price" if impact.unpriced else "")
    )
    table = Table("key", "date", "", "MWh", "yuan", "changed")
    for one in sorted(found.curves, key=lambda change: -change.moved_wh)[:most]:
        money = "" if one.nano is None else f"{one.nano / 1e9:.2f}"
        was = "revised" if one.known_before else "new"
        table.add_row(" ".join(one.key), str(one.date), was, f"{one.net_wh / 1e6:.6f}", money, "")
    for record in found.records[:most]:
        changed = ", ".join(f"{name}: {old} → {new}" for name, (old, new) in record.changed.items())
        table.add_row(
            " ".join(record.key),
            "",
            "revised" if record.known_before else "new",
            f"{record.net_wh / 1e6:.6f}",
            "" if record.nano is None else f"{record.nano / 1e9:.2f}",
            changed if record.known_before else "",
        )
    out.print(table)


@quarantine_app.command("list")
def quarantine_list(
    everything: Annotated[bool, typer.Option("--all", help="Also rows that were decided on.")] = False,
    as_json: Json = False,
) -> None:
    """清单 / rows that wait, oldest delivery first."""
    from jobs.quarantine import entries
    from warehouse.home import home

    _print_entries(entries(home(), decided=None if everything else False), as_json)


@quarantine_app.command("show")
def quarantine_show(delivery: Delivery, as_json: Json = False) -> None:
    """明细 / every row of one delivery, what it said, and what was decided."""
    from jobs.quarantine import entries
    from warehouse.home import home

    found = entries(home(), decided=None, delivery=delivery)
    _print_entries(found, as_json)
    if not as_json:
        for one in found:
            out.print(f"{one.line}: {one.sentence}  {one.content}")
            if one.actor is not None:
                out.print(
                    f"    {one.decision} by {one.actor} at {one.decided_at}: {one.reason} {one.correction or ''}"
                )


@quarantine_app.command("release")
def quarantine_release(
    delivery: Delivery,
    lines: Lines,
    reason: Reason,
    corrected: Annotated[
        list[str] | None, typer.Option("--set", help="COLUMN=VALUE, or LINE:COLUMN=VALUE with several lines.")
    ] = None,
    as_json: Json = False,
) -> None:
    """放行 / take rows in after all, with corrected cells; months they touch are settled again as drafts."""
    from jobs.quarantine import release
    from warehouse.home import home

    done = release(home(), delivery, lines, reason, _corrections(corrected or [], lines))
    if as_json:
        print_json(
            {
                "receipt": vars(done.receipt),
                "settled": [run.alias for run in done.settled],
                "to_correct": done.to_correct,
                "checked": done.checked,
            }
        )
        return
    out.print(f"{done.receipt.file_name}: {done.receipt.status}, {done.receipt.revised} revised.")
    for run in done.settled:
        cities = ", ".join(done.checked[run.alias]) or "no city"
        out.print(f"Settled again: {run.alias} ({run.status}); readings checked again: {cities}.")
    for month in done.to_correct:
        out.print(f"{month} has a final run; if this concerns it, make a correction.")


@quarantine_app.command("reject")
def quarantine_reject(delivery: Delivery, lines: Lines, reason: Reason, as_json: Json = False) -> None:
    """剔除 / decide that rows are never taken."""
    from jobs.quarantine import reject
    from warehouse.home import home

    _print_entries(reject(home(), delivery, lines, reason), as_json)


def _corrections(written: Sequence[str], lines: Sequence[int]) -> dict[int, dict[str, str]]:
    found: dict[int, dict[str, str]] = {}
    for one in written:
        place, equals, value = one.partition("=")
        numbered = re.fullmatch(r"(\d+):(.+)", place)
        if numbered and not PERIOD.fullmatch(place) and int(numbered[1]) in lines:
            found.setdefault(int(numbered[1]), {})[numbered[2]] = value
        elif equals and len(lines) == 1:
            found.setdefault(lines[0], {})[place] = value
        else:
            raise ValueError(
                f"--set {one} does not say COLUMN=VALUE for the one line, or LINE:COLUMN=VALUE for one of several."
            )
    return found


def _print_entries(found: Sequence[Any], as_json: bool) -> None:
    if as_json:
        print_json([asdict(one) for one in found])
        return
    table = Table("delivery", "file", "line", "code", "state", "sentence")
    for one in found:
        table.add_row(
            one.delivery_id[:12], one.file_name, str(one.line), one.code, one.decision, one.sentence
        )
    out.print(table)


def _days(days: Sequence[Any]) -> str:
    if not days:
        return ""
    return str(days[0]) if len(days) == 1 else f"{len(days)} days {days[0]}..{days[-1]}"


def _ticker(lang: str, quiet: bool) -> Any:
    if quiet or not err.is_terminal:
        return None

    def tick(done: int, total: int, receipt: Any) -> None:
        err.print(
            f"{LABELS[lang]['ingest']} {done}/{total}  {receipt.file_name}: {receipt.status}", style="dim"
        )

    return tick
