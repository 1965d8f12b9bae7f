"""The main job on the sample month: ingest, one bid day, the month's settlement, reports."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

from ingest.deliver import deliver_many
from jobs.bid import make_bid
from jobs.progress import Progress, silent
from jobs.report import write_reports
from jobs.settle_month import settle
from market.periods import Month
from warehouse.home import Home, create

SAMPLE = Path("data") / "sample" / "2022-07"
MONTH = Month(2022, 7)
BID_DAY = date(2022, 7, 22)


def run_demo(
    home: Home, *, sample: Path | None = None, progress: Progress = silent, lang: str = "zh"
) -> Iterator[tuple[str, str]]:
    """Yield six (label, sentence) pairs: energy, money, events, findings, where, fingerprint.

    Raises FileNotFoundError where the sample does not lie (run it in a checkout of the project).
    """
    folder = sample or Path(__file__).resolve().parent.parent / SAMPLE
    if not folder.is_dir():
        raise FileNotFoundError(
            f"The sample month is not at {folder}; run the demo in a checkout of the project."
        )
    create(home)
    files = sorted(path for path in folder.iterdir() if path.suffix in (".csv", ".parquet", ".xlsx"))
    deliver_many(home, list(progress(files, "ingest", total=len(files))))
    bids = [make_bid(home, day) for day in progress([BID_DAY], "bid", total=1)]
    done = settle(home, MONTH, progress=progress)
    written = write_reports(home, done.run.run_id, lang=lang, progress=progress)
    totals = done.run.manifest["totals"]
    findings = totals["findings"]
    yield (
        "energy",
        f"use {totals['use_mwh']} MWh + loss {totals['loss_mwh']} MWh = generation {totals['generation_mwh']} MWh "
        f"+ import {totals['import_mwh']} MWh",
    )
    yield (
        "money",
        f"charges {totals['charges_cny']} 元, credits {totals['credits_cny']} 元, postings sum to 0.00 "
        f"({totals['lines']} lines of {totals['participants']} participants)",
    )
    yield (
        "events",
        f"{totals['events']} events, {totals['demand_response_cny']} 元 paid and charged to who gained",
    )
    yield (
        "findings",
        f"{findings['block']} block, {findings['review']} review, {findings['inform']} inform; run is {done.run.status}",
    )
    yield "where", f"{written.month_page}  |  {len(written.statements)} statements  |  {bids[0].page}"
    yield "fingerprint", f"{done.run.alias}  {done.run.fingerprint}"
