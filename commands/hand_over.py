"""``gridsettle run journal, notice, export``, ``control-pack`` and ``drill``: what leaves the house."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from commands.terminal import Json, Lang, Language, bars, out, print_json


def hand_over_commands(app: typer.Typer) -> None:
    """Add these commands to the group ``run``."""
    for name, command in (("journal", journal), ("notice", notice), ("export", export)):
        app.command(name)(command)


def journal(run: str, as_json: Json = False, lang: Lang = Language.ZH) -> None:
    """凭证导出 / the postings as journal entries for the ledger; of a correction its differences alone."""
    from jobs.journal import write_journal
    from market.money import yuan
    from warehouse.home import home

    made = write_journal(home(), run, lang=lang)
    if as_json:
        print_json(
            {
                "csv": str(made.csv),
                "xlsx": str(made.workbook),
                "entries": made.entries,
                "debit_cny": str(yuan(made.debit_fen)),
            }
        )
        return
    out.print(f"{made.entries} entries, debits = credits = {yuan(made.debit_fen):,} 元")
    out.print(f"{made.csv}\n{made.workbook}")


def notice(run: str, lang: Lang = Language.ZH) -> None:
    """退补通知 / what a correction changes, why, for which days and charges, and when it is billed."""
    from jobs.notice import write_notice
    from warehouse.home import home

    for path in write_notice(home(), run, lang=lang, progress=bars(lang, False)):
        out.print(str(path))


def export(
    run: str,
    masked: Annotated[
        bool, typer.Option("--masked", help="Pseudonyms and groups of five or more instead of names.")
    ] = False,
    into: Annotated[Path | None, typer.Option(help="A folder; default exports/<run> of the home.")] = None,
) -> None:
    """数据导出 / the lines that are for your eyes as CSV, or every line masked for analysts."""
    from jobs.export import export
    from warehouse.home import home

    made = export(home(), run, masked_rows=masked, into=into)
    left = f", {made.suppressed} participants left out of groups under five" if masked else ""
    out.print(f"{made.lines} lines{left}")
    for file in made.files:
        out.print(str(file))


def control_pack(month: str) -> None:
    """内控证据包 / one zip for auditors: access, four hands, rules, log, failures, adjustments, overrides, drills."""
    from jobs.control_pack import write_control_pack
    from market.periods import Month
    from warehouse.home import home

    out.print(str(write_control_pack(home(), Month.parse(month))))


def drill(restored: Annotated[Path, typer.Argument(help="The folder of the restored home.")]) -> None:
    """恢复演练 / verify a home restored from a backup and put the drill on record here."""
    from jobs.restore_drill import drill
    from warehouse.home import home

    made = drill(home(), home(restored))
    if made.problems:
        raise ValueError("The restored home does not verify: " + " ".join(made.problems))
    out.print(
        f"{made.runs} runs verified in {made.seconds:.2f} s; the restored log ends at entry {made.end.seq}, "
        f"{made.behind} acts before this home's."
    )
