"""The main job on the sample month: ingest, one bid day, the month's settlement, reports."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

from ingest.deliver import deliver_many
from jobs.bid import make_bid
from jobs.bid_ladder import search_here
from jobs.progress import Progress, silent
from jobs.report import write_reports
from jobs.settle_month import settle
from market.periods import Month
from warehouse.home import Home, create

SAMPLE = Path("data") / "sample" / "2022-07"
MONTH = Month(2022, 7)
BID_DAY = date(2022, 7, 22)

STATUS = {"zh": {"ready": "可审批", "blocked": "有阻断项"}, "en": {"ready": "ready", "blocked": "blocked"}}
SENTENCES = {
    "zh": {
        "energy": "用电 {use_mwh} + 网损 {loss_mwh} = 发电 {generation_mwh} + 省间购入 {import_mwh} MWh",
        "money": "应收 {charges_cny} 元，应付 {credits_cny} 元，借贷合计 0.00；{participants} 个主体 {lines} 行",
        "events": "{events} 次事件，补偿 {demand_response_cny} 元，由受益者分摊",
        "findings": "阻断 {block}，复核 {review}，提示 {inform}；批次{status}",
        "where": "{page}  |  {statements} 份结算单  |  {bid}",
        "fingerprint": "{alias}  {fingerprint}",
    },
    "en": {
        "energy": "use {use_mwh} + loss {loss_mwh} = generation {generation_mwh} + import {import_mwh} MWh",
        "money": "charges {charges_cny} 元, credits {credits_cny} 元, postings sum to 0.00; {lines} lines of {participants}",
        "events": "{events} events, {demand_response_cny} 元 paid and charged to who gained",
        "findings": "{block} block, {review} review, {inform} inform; the run is {status}",
        "where": "{page}  |  {statements} statements  |  {bid}",
        "fingerprint": "{alias}  {fingerprint}",
    },
}


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
    bids = [
        make_bid(home, day, search=search_here, score_own=True) for day in progress([BID_DAY], "bid", total=1)
    ]
    done = settle(home, MONTH, progress=progress)
    written = write_reports(home, done.run.run_id, lang=lang, progress=progress)
    totals = done.run.manifest["totals"]
    facts = {
        **totals,
        **totals["findings"],
        "status": STATUS[lang][done.run.status],
        "page": written.month_page,
        "statements": len(written.statements),
        "bid": bids[0].page,
        "alias": done.run.alias,
        "fingerprint": done.run.fingerprint,
    }
    yield from ((label, sentence.format(**facts)) for label, sentence in SENTENCES[lang].items())
