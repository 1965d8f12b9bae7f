"""The evidence pack of a case: a zip from which an outsider recomputes the line with nothing but Python itself.

It holds the line, its days and quarter-hours with energy and price, or the pool and its shares, the readings of the
participant's meters, the rule's card, the rows of delivered files everything rests on, and ``recompute.py``.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from jobs import access, actor
from jobs.access import Act
from jobs.cases import Case, case
from jobs.explain import explain_every_day
from market.periods import Month
from reports.explanation import Explanation
from warehouse import audit_log, runs
from warehouse.file_hash import file_sha256
from warehouse.home import Home
from warehouse.run_log import life_anchor

EPOCH = (1980, 1, 1, 0, 0, 0)  # the same content gives the same bytes


def write_pack(home: Home, case_id: str) -> Path:
    """Write ``cases/<case_id>.zip`` and log it. Raises NotExplainedError for a line that has no explanation yet."""
    found = case(home, case_id)
    who = actor.current(home)
    access.require(who, Act.PACK_CASE)
    run = runs.find_run(home, found.run_id)
    problems = runs.verify(run)
    if problems:
        raise runs.RunDamagedError(f"No pack is made of {run.alias}. {' '.join(problems)}")
    whole, *daily = explain_every_day(home, run.run_id, found.participant_id, found.charge_code)
    folder = home.root / "cases"
    folder.mkdir(exist_ok=True)
    path = folder / f"{case_id}.zip"
    making = path.with_suffix(".making")
    with zipfile.ZipFile(making, "w", zipfile.ZIP_DEFLATED) as pack:
        for name, content in _files(home, found, run, whole, daily):
            pack.writestr(zipfile.ZipInfo(name, EPOCH), content)
    making.replace(path)
    with audit_log.recording(home) as log:
        log.append(who.signature, Act.PACK_CASE, case_id, "", evidence_sha256=file_sha256(path))
    return path


def _files(
    home: Home, found: Case, run: runs.Run, whole: Explanation, daily: Sequence[Explanation]
) -> Iterable[tuple[str, str]]:
    manifest = run.manifest
    line = {
        "case": found.case_id,
        "claim": found.claim,
        "run": run.alias,
        "run_id": run.run_id,
        "fingerprint": run.fingerprint,
        "log_anchor": life_anchor(home, run),
        "profile": manifest["profile"],
        "profile_sha256": manifest["profile_sha256"],
        "month": str(Month.parse(run.month)),
        "participant_id": whole.participant_id,
        "charge_code": whole.charge_code,
        "amount_cny": whole.amount_cny,
        "missing_because": whole.missing_because,
        "rule": {"name": whole.names[whole.charge_code], "clause": whole.clause},
    }
    yield "line.json", json.dumps(line, ensure_ascii=False, indent=1, default=str)
    yield (
        "days.csv",
        _csv(
            ("date", "quantity_mwh", "amount_cny"),
            ((d.date, d.quantity_mwh, d.amount_cny) for d in whole.days),
        ),
    )
    yield (
        "quarters.csv",
        _csv(
            ("date", "period", "subject", "quantity_mwh", "price_cny_per_mwh", "amount_cny"),
            (
                (p.date, p.period, p.subject, p.quantity_mwh, p.price_cny_per_mwh, p.amount_cny)
                for one in daily
                for p in one.parts
            ),
        ),
    )
    yield (
        "trades.csv",
        _csv(
            ("trade_id", "date", "amount_cny"),
            ((t.trade_id, t.date, t.amount_cny) for one in (daily or [whole]) for t in one.trades),
        ),
    )
    shares = () if whole.pool is None else whole.pool.shares
    yield (
        "shares.csv",
        _csv(
            ("group", "pool_cny", "key", "total_key", "unit", "amount_cny"),
            ((s.group, s.pool_cny, s.key, s.total_key, s.unit, s.amount_cny) for s in shares),
        ),
    )
    sources = sorted({(s.table, s.key, s.file, s.line) for one in (whole, *daily) for s in one.sources})
    yield "sources.csv", _csv(("table", "key", "file", "line"), sources)
    hashes = {entry["path"]: entry["sha256"] for entry in manifest["inputs"]}
    used = sorted({file for _, _, file, _ in sources})
    yield "files.csv", _csv(("file", "sha256"), ((file, hashes.get(file, "")) for file in used))
    for file, rows in _delivered(home, sources):
        yield f"rows/{file.replace('/', '_')}", rows
    yield (
        "recompute.py",
        resources.files("reports").joinpath("templates", "recompute.py.txt").read_text("utf-8"),
    )


def _delivered(home: Home, sources: Sequence[tuple[str, str, str, int]]) -> Iterable[tuple[str, str]]:
    """The rows themselves as they were delivered, where the file is text: its header and the lines named."""
    for file in sorted({source[2] for source in sources}):
        path = home.inbox / file
        if path.suffix.lower() != ".csv" or not path.is_file():
            continue
        wanted = {1, *(line for _, _, name, line in sources if name == file)}
        text = path.read_bytes().decode("utf-8-sig", errors="replace").splitlines()
        yield file, "\n".join(text[number - 1] for number in sorted(wanted) if number <= len(text)) + "\n"


def _csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(["" if value is None else value for value in row] for row in rows)
    return out.getvalue()
