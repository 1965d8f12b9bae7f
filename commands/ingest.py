"""``gridsettle ingest``: what comes in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer
from rich.table import Table

from commands.terminal import LABELS, Json, Lang, Language, err, out, print_json


def ingest(paths: list[Path], as_json: Json = False, lang: Lang = Language.ZH) -> None:
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


def _ticker(lang: str, quiet: bool) -> Any:
    if quiet or not err.is_terminal:
        return None

    def tick(receipt: Any) -> None:
        err.print(f"{LABELS[lang]['ingest']}  {receipt.file_name}: {receipt.status}", style="dim")

    return tick
