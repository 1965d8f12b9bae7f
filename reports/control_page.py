"""The index of a control-evidence pack, in plain words: what each file shows, and what it says this month."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

STYLE = (
    "body{font:15px/1.55 'Microsoft YaHei','Noto Sans CJK SC',sans-serif;color:#1F2933;max-width:62rem;margin:2rem auto;"
    "padding:0 1rem}h1{color:#1F4E79}table{border-collapse:collapse;width:100%}th,td{border-bottom:1px solid #C9D1D9;"
    "padding:.4rem .5rem;text-align:left;vertical-align:top}th{background:#EEF3F8}td.n{text-align:right}"
    ".look{color:#B3261E;font-weight:bold}.good{color:#1B7F4B;font-weight:bold}code{overflow-wrap:anywhere}"
)


@dataclass(frozen=True)
class Sheet:
    """One file of the pack: the question it answers, its rows, what they say; ``look``: somebody must look at it."""

    file: str
    question: str
    head: Sequence[str]
    rows: Sequence[Sequence[object]]
    says: str
    look: bool = False


def control_index(month: str, sheets: Sequence[Sheet], facts: Sequence[tuple[str, str]]) -> str:
    """The page; the same content gives the same bytes."""
    body = "".join(
        f"<tr><td><a href='{escape(one.file)}'>{escape(one.file)}</a></td><td>{escape(one.question)}</td>"
        f"<td class='n'>{len(one.rows)}</td><td class='{'look' if one.look else 'good'}'>{escape(one.says)}</td></tr>\n"
        for one in sheets
    )
    said = "".join(
        f"<tr><th>{escape(name)}</th><td><code>{escape(value)}</code></td></tr>\n" for name, value in facts
    )
    return (
        f"<!doctype html>\n<html lang='en'><head><meta charset='utf-8'><title>Controls of {escape(month)}</title>"
        f"<style>{STYLE}</style></head><body>\n<h1>Controls of {escape(month)} · 内控证据</h1>\n"
        "<p>Who may do what, who did what, and what was changed by hand. Every file is a table that Excel opens. "
        "Nothing here was typed: it is read from the log of acts, the runs and the deliveries of this home.</p>\n"
        f"<table>{said}</table>\n<h2>Files · 清单</h2>\n"
        "<table><tr><th>File</th><th>What it answers</th><th>Rows</th><th>What it says</th></tr>\n"
        f"{body}</table>\n"
        "<p>To check the log yourself: <code>gridsettle run verify RUN --anchor '…'</code> with the anchor above or "
        "one read off a statement. Kept: every delivery, run, report, piece of evidence and act, without an end date; "
        "the programs delete none of them.</p></body></html>\n"
    )
