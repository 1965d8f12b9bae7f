"""``gridsettle run findings, resolve, waive, signoff, approve, reject, publish, verify, log``: acts under a name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from commands.terminal import Json, Lang, Language, out, print_json

if TYPE_CHECKING:
    from warehouse.audit_log import Entry

Reason = Annotated[str, typer.Option("--reason", help="A sentence; it stands in the log beside your name.")]
Evidence = Annotated[
    Path | None, typer.Option("--evidence", help="A file that is kept and named in the log.")
]


def life_commands(app: typer.Typer) -> None:
    """Add these commands to the group ``run``."""
    for name, command in (
        ("findings", findings),
        ("resolve", resolve),
        ("waive", waive),
        ("signoff", sign_off),
        ("approve", approve),
        ("reject", reject),
        ("publish", publish),
        ("verify", verify),
        ("log", log),
    ):
        app.command(name)(command)


def findings(run: str, as_json: Json = False, lang: Lang = Language.ZH) -> None:
    """异常清单 / the findings of a run that are for your eyes, and what became of each."""
    from jobs.run_life import findings
    from reports.labels import FINDINGS, SEVERITIES, Labels
    from warehouse.home import home

    found, labels = findings(home(), run), Labels(lang)
    if as_json:
        print_json([{**one.row, "state": one.state, "by": one.by, "reason": one.reason} for one in found])
        return
    table = Table("id", "", "city", "code", "what", "state")
    for one in found:
        by = f" {one.by}: {one.reason}" if one.by else ""
        table.add_row(
            one.row["finding_id"][:8],
            labels.of(SEVERITIES, one.row["severity"]),
            one.row["queue"],
            labels.of(FINDINGS, one.row["code"]),
            one.row["sentence"],
            one.state + by,
        )
    out.print(table)


def resolve(run: str, finding: str, reason: Reason, evidence: Evidence = None) -> None:
    """处理异常 / a finding was looked into and the figure stands; or approve the adjustment that names you."""
    from jobs.run_life import resolve
    from warehouse.home import home

    _say(resolve(home(), run, finding, reason, evidence))


def waive(run: str, finding: str, reason: Reason, evidence: Evidence = None) -> None:
    """豁免异常 / accept a figure as it is, by name."""
    from jobs.run_life import waive
    from warehouse.home import home

    _say(waive(home(), run, finding, reason, evidence))


def sign_off(
    run: str,
    city: Annotated[str, typer.Argument(help="A city, or province for findings of no city.")],
    reason: Reason = "",
) -> None:
    """地市签核 / a city has worked its queue."""
    from jobs.run_life import sign_off
    from warehouse.home import home

    _say(sign_off(home(), run, city, reason))


def approve(run: str, reason: Reason = "") -> None:
    """审批 / approve a run that its cities have checked."""
    from jobs.run_life import approve
    from warehouse.home import home

    _say(approve(home(), run, reason))


def reject(run: str, reason: Reason) -> None:
    """退回 / the run goes no further."""
    from jobs.run_life import reject
    from warehouse.home import home

    _say(reject(home(), run, reason))


def publish(run: str, reason: Reason = "") -> None:
    """发布 / put an approved run in force for its month."""
    from jobs.run_life import publish
    from warehouse.home import home

    _say(publish(home(), run, reason))


def verify(
    run: str,
    anchor: Annotated[
        list[str] | None, typer.Option(help="An anchor read off a statement: '<number> <hash>'.")
    ] = None,
) -> None:
    """校验 / hash the run, its reports, its evidence and the log of acts again."""
    from jobs.verify_run import verify
    from warehouse.audit_log import Anchor
    from warehouse.home import home
    from warehouse.runs import find_run

    found = find_run(home(), run)
    problems = verify(home(), found, [Anchor.parse(text) for text in anchor or []], inputs=True)
    if problems:
        raise ValueError(" ".join(problems))
    out.print(
        f"{found.alias}: every file has the hash its manifest names, the log of acts is whole; "
        f"fingerprint {found.fingerprint}."
    )


def log(run: str, as_json: Json = False) -> None:
    """审计日志 / who did what to a run, when and why."""
    from jobs.run_life import history
    from warehouse.home import home

    acts = history(home(), run)
    if as_json:
        print_json([vars(entry) for entry in acts])
        return
    table = Table("no.", "at (UTC)", "who", "account", "act", "reason", "hash")
    for entry in acts:
        table.add_row(
            str(entry.seq),
            entry.at[:19],
            entry.person,
            entry.account,
            entry.act,
            entry.reason,
            entry.hash[:16],
        )
    out.print(table)


def _say(entry: Entry) -> None:
    out.print(
        f"{entry.act}: {entry.facts.get('alias')} by {entry.person}; log entry {entry.seq} {entry.hash}"
    )
