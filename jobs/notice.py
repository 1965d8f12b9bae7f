"""退补通知: the restatement notice of a correction (users.md F12), from the run, its bridge, the log and the clock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from jobs import access, actor, posted
from jobs.access import Act
from jobs.basis import past_basis, rules_of
from jobs.bridge import bridge
from jobs.progress import Progress, silent
from market.calendars import ChinaCalendar
from market.clock import month_deadline
from market.periods import Month
from reports.labels import Labels
from reports.notice import Restatement, notice_html, notice_markdown
from settlement.bridge import by_cause
from settlement.run_life import Deed, NotNowError
from warehouse import runs
from warehouse.audit_log import entries
from warehouse.difference_tables import read_brought
from warehouse.home import Home
from warehouse.printed import log_print
from warehouse.runs import Run


def write_notice(
    home: Home, run_name: str, *, lang: str = "zh", progress: Progress = silent
) -> tuple[Path, Path]:
    """The notice of a correction as HTML and Markdown beside its reports; the two paths.

    A correction that waits has a notice too, and it says so. Raises NotAllowedError, RunDamagedError, NotNowError for
    a run that corrects nothing, and what ``bridge`` raises.
    """
    who = actor.current(home)
    access.require(who, Act.NOTICE)
    run = runs.find_run(home, run_name)
    if not posted.hands_over(run):
        raise NotNowError(f"{run.alias} corrects nothing; a notice is written for a correction.")
    problems = runs.verify(run)
    if problems:
        raise runs.RunDamagedError(f"No notice is written of {run.alias}. {' '.join(problems)}")
    labels = Labels(lang)
    of = restatement(home, run, lang, progress)
    folder = home.reports / run.run_id
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"notice_{run.month}_v{run.version}"
    written = {
        folder / f"{stem}.html": notice_html(of, labels),
        folder / f"{stem}.md": notice_markdown(of, labels),
    }
    for path, text in written.items():
        making = path.with_suffix(path.suffix + ".making")
        making.write_text(text, "utf-8")
        making.replace(path)
    log_print(home, run, who.signature, list(written))
    html, markdown = written
    return html, markdown


def restatement(home: Home, run: Run, lang: str = "zh", progress: Progress = silent) -> Restatement:
    """What the notice says."""
    previous = past_basis(home, run).billed or runs.find_run(home, run.previous or "")
    rules = rules_of(home, run.manifest)
    told = bridge(home, previous.run_id, run.run_id, progress=progress)
    into = Month.parse(str(run.manifest["posted_into"]))
    return Restatement(
        alias=run.alias,
        previous_alias=previous.alias,
        month=run.month,
        posted_into=str(into),
        state=str(posted.state(home, run)),
        days=_days(previous, run),
        changed=read_brought(run.folder, run.run_id, run.month).lines,
        reasons={str(cause): sides for cause, sides in by_cause(told.rows).items()},
        files={str(change.cause): change.came for change in told.changes},
        charges={
            one.code: (one.subject_code or "", one.name_zh if lang == "zh" else one.name_en)
            for one in rules.settled[1].charges
        },
        before_published=_published(home, previous),
        published=_published(home, run),
        invoice=month_deadline(rules, "bills", into, ChinaCalendar()).day,
        fingerprint=run.fingerprint,
    )


def _days(previous: Run, run: Run) -> Sequence[date]:
    """Days on which a quantity or an amount of some participant is another than before."""
    columns = ["participant_id", "charge_code", "date", "quantity_mwh", "amount"]
    old, new = (pq.read_table(one.folder / "daily.parquet", columns=columns) for one in (previous, run))
    return [day for day in Month.parse(run.month).days() if not _of_day(old, day).equals(_of_day(new, day))]


def _of_day(daily: pa.Table, day: date) -> pa.Table:
    rows = daily.filter(pc.equal(daily["date"], pa.scalar(day, daily.schema.field("date").type)))
    return rows.sort_by([("participant_id", "ascending"), ("charge_code", "ascending")]).combine_chunks()


def _published(home: Home, run: Run) -> str | None:
    acts = entries(home, run.run_id, [Deed.PUBLISH])
    return acts[-1].at[:10] if acts else None
