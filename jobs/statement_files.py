"""Writes the statements of a run: workbook and CSV for everyone, PDF where asked; many at once on all cores.

What a statement says depends on the run alone, so who writes it does not matter: the files are the same bytes from
one process and from many.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from multiprocessing import current_process, get_context
from pathlib import Path

from jobs.progress import Progress, silent
from jobs.whole_files import write_whole
from reports.content import FindingRow, RunContent
from reports.labels import Labels
from reports.metered import Metered
from reports.statement import statement_workbook
from reports.statement_csv import statement_csv
from reports.statement_facts import Statement
from reports.statement_pdf import statement_pdf

WORTH_MORE_PROCESSES = 100  # statements; below it starting a process takes longer than it saves
A_HANDFUL = 8


@dataclass(frozen=True)
class Press:
    """Where statements go and in which language."""

    folder: Path
    content: RunContent
    lang: str
    pdf: bool = False

    def print_one(self, job: Job) -> list[Path]:
        """The files of one participant."""
        what = Statement(self.content, job.participant_id, job.metered, job.findings, Labels(self.lang))
        head = self.content.head
        stem = f"{head.month}_{file_name(job.participant_id)}_{head.kind}-v{head.version}"
        files = [
            (self.folder / f"{stem}.xlsx", statement_workbook(what)),
            (self.folder / f"{stem}.csv", statement_csv(what)),
        ]
        if self.pdf:
            files.append((self.folder / f"{stem}.pdf", statement_pdf(what)))
        for path, raw in files:
            write_whole(path, raw)
        return [path for path, _ in files]


@dataclass(frozen=True)
class Job:
    """One participant's statement to be written."""

    participant_id: str
    metered: Metered | None
    findings: Sequence[FindingRow]


@contextmanager
def workers(press: Press, statements: int) -> Iterator[Executor | None]:
    """Processes that print beside this one, None where it is not worth it or not allowed."""
    cores = _cores()
    if statements < WORTH_MORE_PROCESSES or cores == 1 or current_process().daemon:
        yield None
        return
    with ProcessPoolExecutor(cores, get_context("spawn"), _take, (press,)) as pool:
        yield pool


def write_statements(
    press: Press,
    wanted: Sequence[str],
    metered: Mapping[str, Metered],
    findings: Mapping[str, Sequence[FindingRow]],
    *,
    pool: Executor | None = None,
    progress: Progress = silent,
) -> list[Path]:
    """All files, in the order of ``wanted``."""
    jobs = [Job(who, metered.get(who), findings[who]) for who in wanted]
    made = map(press.print_one, jobs) if pool is None else pool.map(_print_one, jobs, chunksize=A_HANDFUL)
    return [path for paths in progress(made, "report", total=len(jobs)) for path in paths]


_PRESS: list[Press] = []  # of a worker process


def _take(press: Press) -> None:
    _PRESS[:] = [press]


def _print_one(job: Job) -> list[Path]:
    return _PRESS[0].print_one(job)


def _cores() -> int:
    """The cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def file_name(participant_id: str) -> str:
    """The id where it is a plain file name, else what is plain of it with a hash that keeps two apart."""
    plain = re.sub(r"[^\w-]", "_", participant_id, flags=re.ASCII)
    if plain == participant_id:
        return plain
    return f"{plain[:40]}_{sha256(participant_id.encode()).hexdigest()[:8]}"
