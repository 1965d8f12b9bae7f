"""Prints a run: a statement a participant, the month page, the province workbook, all lines as CSV.

A run whose files were changed after it was written is not printed. What is printed depends on the run, on
the records of its participants and on the curves it was settled from; printing again gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jobs import access, actor
from jobs.dr_report import write_allocation_page
from jobs.progress import Progress, silent
from jobs.run_content import RunReader
from jobs.statement_files import Press, workers, write_statements
from jobs.whole_files import write_whole
from reports.chinese_fonts import chinese_font
from reports.content import RunContent
from reports.labels import Labels
from reports.lines_csv import lines_csv
from reports.month_page import month_page
from reports.statement_lines import findings_by_participant
from reports.workbook import province_workbook
from warehouse import runs
from warehouse.home import Home
from warehouse.printed import log_print


@dataclass(frozen=True)
class Reports:
    """Where the reports of a run stand; ``tables`` are the statements as CSV, ``papers`` those printed as PDF.

    What shows the whole province is None for who sees one city; a month without an event has no allocation page.
    """

    folder: Path
    statements: list[Path]
    month_page: Path | None
    workbook: Path | None
    lines: Path | None
    allocation_page: Path | None
    tables: list[Path]
    papers: list[Path]


def write_reports(
    home: Home,
    run_name: str,
    *,
    participants: Sequence[str] | None = None,
    lang: str = "zh",
    pdf: bool = False,
    progress: Progress = silent,
) -> Reports:
    """Print a run by id, beginning of an id, or alias; ``participants`` None is everyone with a line.

    pdf: statements on paper beside the workbooks; NoChineseFontError where this machine could only draw boxes.
    Raises NotAllowedError, RunNotFoundError, RunDamagedError for a run that does not have its hashes, ValueError for a
    participant without a line or a language that is not known.
    """
    labels = Labels(lang)
    if pdf:
        chinese_font()
    who_prints = actor.current(home)
    access.require(who_prints, access.Act.PRINT)
    run = runs.find_run(home, run_name)
    problems = runs.verify(run)
    if problems:
        raise runs.RunDamagedError(f"Run {run.alias} is not printed. {' '.join(problems)}")
    reader = RunReader(home, run)
    content = reader.content(progress)
    wanted = sorted(content.lines) if participants is None else list(dict.fromkeys(participants))
    wanted = _own(content, who_prints, wanted, named=participants is not None)
    strangers = [who for who in wanted if who not in content.lines]
    if strangers:
        raise ValueError(
            f"{', '.join(strangers)} has no line in run {run.alias}; lines_{run.month}.csv lists who has."
        )
    curves, province = reader.curves(wanted)
    concerned = findings_by_participant(content)
    folder = home.reports / run.run_id
    (folder / "statements").mkdir(parents=True, exist_ok=True)
    press = Press(folder / "statements", content, lang, pdf)
    page, workbook, lines = (
        folder / name
        for name in (f"month_{run.month}.html", f"province_{run.month}.xlsx", f"lines_{run.month}.csv")
    )
    whole: list[Path | None] = [None, None, None, None]
    with workers(press, len(wanted)) as pool:
        events = None
        if access.sees_province(who_prints):
            if content.events and pool is not None:
                events = pool.submit(write_allocation_page, home, run.run_id, lang=lang)
            write_whole(workbook, province_workbook(content, labels))
            write_whole(lines, lines_csv(content, labels))
            feeds = reader.late_feeds(content)
            write_whole(page, month_page(content, province, labels, feeds).encode("utf-8"))
            whole = [page, workbook, lines, None]
        written = write_statements(press, wanted, curves, concerned, pool=pool, progress=progress)
        if access.sees_province(who_prints) and content.events:
            whole[-1] = events.result() if events else write_allocation_page(home, run.run_id, lang=lang)
    log_print(home, run, who_prints.signature, [*written, *(file for file in whole if file is not None)])
    of_kind = {
        suffix: [path for path in written if path.suffix == suffix] for suffix in (".xlsx", ".csv", ".pdf")
    }
    return Reports(folder, of_kind[".xlsx"], *whole, of_kind[".csv"], of_kind[".pdf"])


def _own(content: RunContent, who: actor.Actor, wanted: list[str], *, named: bool) -> list[str]:
    """A checker prints for its own cities and nobody else; asked for another by name it is told so."""
    city = {one: content.lines[one][0].city for one in wanted if one in content.lines}
    hidden = [one for one in city if not access.sees(who, city[one])]
    if hidden and named:
        access.refuse_hidden(who, city[hidden[0]], hidden[0])
    return [one for one in wanted if one not in hidden]
