"""What every command shares: the two consoles, options, progress, and JSON for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

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

Json = Annotated[bool, typer.Option("--json", help="JSON for machines.")]


class Language(StrEnum):
    """Labels of tables and reports."""

    ZH = "zh"
    EN = "en"


Lang = Annotated[Language, typer.Option("--lang")]


def bars(lang: str, quiet: bool) -> Any:
    """A progress bar on a terminal, nothing elsewhere."""

    def progress(items: Iterable[Item], label: str, *, total: int) -> Iterator[Item]:
        if quiet or not err.is_terminal:
            yield from items
            return
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Bar(*columns, console=err, transient=True) as bar:
            yield from bar.track(items, total=total, description=LABELS[lang].get(label, label))

    return progress


def print_json(content: Any) -> None:
    """One JSON document on standard output."""
    out.print_json(json.dumps(content, ensure_ascii=False, default=str))


def instant(text: str) -> datetime:
    """An ISO instant with its offset. Raises ValueError without one."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no offset; write it like 2022-08-05T12:00:00+08:00.")
    return moment
