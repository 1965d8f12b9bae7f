"""The versions of a session's bid on disk: ``reports/bids/<day>/bids_<day>_v<N>.csv`` with its record and its page.

Those of a round within the day lie in the day's folder ``intraday_<NN>``.

Nothing is overwritten, and a version exists when its table does. What cannot be read - cut off by a crash, or damaged
since - counts as not there for whoever looks for an earlier bid, and is named.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd

from jobs.bid_session import DAY_AHEAD, Session
from optimization.procurement import YESTERDAY
from optimization.purchase import Bid, bid_of
from reports.bid_words import LABEL_ZH
from warehouse.home import Home

COLUMNS = (
    *("node", "date", "stage", "round", "period", "segment"),
    *("mw", "price_cny_per_mwh", "version", "submitted_at"),
)
DAYS_BACK = 7  # how old a bid may be that stands in for a day without data


class NoBidYetError(LookupError):
    """No bid of that day has been made."""


class BidDamagedError(ValueError):
    """A version on disk is not what its record says; the sentence names it."""


@dataclass(frozen=True)
class BidResult:
    """A version of a day's bid. ``made``: False when it stood there already. ``facts`` is the record."""

    day: date
    session: Session
    version: int
    label: str
    file: Path
    record: Path
    page: Path
    made: bool
    facts: dict[str, Any]

    def summary(self, lang: str = "zh") -> Iterator[str]:
        """A few lines for the terminal."""
        facts, costs = self.facts, self.facts["costs"]
        bid = facts["bid"]
        if lang == "en":
            yield f"Bid {self.day} v{self.version}: {self.label}, {bid['segments']} segments, {bid['mwh']} MWh"
            if costs:
                yield f"Expected cost by clearing {costs['total']} 元; worst fifth {facts['cvar_worst_fifth_cny']:,.0f} 元"
            yield from (f"{name}: {cost['total']} 元" for name, cost in facts["comparison"].items())
        else:
            yield f"申报 {self.day} v{self.version}：{LABEL_ZH[self.label]}，{bid['segments']} 段，{bid['mwh']} MWh"
            if costs:
                yield f"期望费用(逐场景出清) {costs['total']} 元；最差五分之一平均 {facts['cvar_worst_fifth_cny']:,.0f} 元"
            yield from (f"{name}：{cost['total']} 元" for name, cost in facts["comparison"].items())
        if facts["reason"]:
            yield facts["reason"]
        yield str(self.file)
        yield str(self.page)


def versions_of(home: Home, day: date, session: Session = DAY_AHEAD) -> list[BidResult]:
    """Every version of a session's bid, oldest first; unreadable ones that a later version replaced are left out.

    Raises BidDamagedError where the record of the newest version cannot be read.
    """
    numbers = version_numbers(home, day, session)
    found = [_readable(home, day, session, number) for number in numbers]
    if found and found[-1] is None:
        raise BidDamagedError(
            f"The record of version {numbers[-1]} of {day} cannot be read; run `gridsettle bid {day}` for a new version."
        )
    return [one for one in found if one is not None]


def _readable(home: Home, day: date, session: Session, number: int) -> BidResult | None:
    try:
        return _read(home, day, session, number, made=False)
    except (OSError, ValueError, KeyError):
        return None


def _whole(home: Home, day: date, session: Session, number: int) -> BidResult | None:
    """A version whose record can be read and whose table is the one the record names."""
    found = _readable(home, day, session, number)
    if found is None or sha256(found.file.read_bytes()).hexdigest() != found.facts["bid"]["sha256"]:
        return None
    return found


def newest(
    home: Home, day: date, session: Session = DAY_AHEAD, *, but: str | None = None
) -> BidResult | None:
    """The newest whole version of a session, leaving out those with the label ``but``."""
    found = (_whole(home, day, session, number) for number in reversed(version_numbers(home, day, session)))
    return next((one for one in found if one is not None and one.label != but), None)


def newest_before(home: Home, day: date) -> BidResult | None:
    """The newest day-ahead bid of the days before, at most DAYS_BACK back, that was not itself a repetition."""
    for back in range(1, DAYS_BACK + 1):
        found = newest(home, day - timedelta(days=back))
        if found is not None and found.label != YESTERDAY:
            return found
    return None


def bid_of_file(file: Path) -> Bid:
    """The bid of a file that passed the format check."""
    rows = pd.read_csv(file)
    return bid_of(
        zip(rows["period"].tolist(), rows["mw"].tolist(), rows["price_cny_per_mwh"].tolist(), strict=True)
    )


def keep(
    home: Home, day: date, session: Session, number: int, table: bytes, facts: dict[str, Any], page: str
) -> BidResult:
    """Write the three files of a version."""
    record = json.dumps(facts, ensure_ascii=False, indent=1).encode()
    # The CSV comes last: a version exists when its bid file does.
    for suffix, content in (("html", page.encode()), ("json", record), ("csv", table)):
        _put(_file(home, day, session, number, suffix), content)
    return _read(home, day, session, number, made=True)


def table_of(bid: Bid, node: str, day: date, session: Session, number: int, gate: datetime) -> bytes:
    """The rows of the bids table. A bid counts as submitted when the gate closes: what stands then is what counts."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(
        (
            node,
            day,
            session.stage,
            session.round,
            one.period,
            one.segment,
            one.mw,
            one.price_cny_per_mwh,
            number,
            gate.isoformat(),
        )
        for one in bid
    )
    return text.getvalue().encode()


def _folder(home: Home, day: date, session: Session) -> Path:
    return home.reports / "bids" / day.isoformat() / session.folder


def file_name(day: date, session: Session, number: int, suffix: str) -> str:
    """bids_2022-07-22_v1.csv, bids_2022-07-22_intraday_09_v1.csv; the record is .json, the page .html."""
    return f"{session.name(day)}_v{number}.{suffix}"


def _file(home: Home, day: date, session: Session, number: int, suffix: str) -> Path:
    return _folder(home, day, session) / file_name(day, session, number, suffix)


def next_number(home: Home, day: date, session: Session = DAY_AHEAD) -> int:
    """The number of the session's next version."""
    return (version_numbers(home, day, session) or [0])[-1] + 1


def version_numbers(home: Home, day: date, session: Session = DAY_AHEAD) -> list[int]:
    """Of the versions on disk, in order."""
    found = _folder(home, day, session).glob(f"{session.name(day)}_v*.csv")
    return sorted(int(path.stem.rpartition("_v")[2]) for path in found)


def _read(home: Home, day: date, session: Session, number: int, *, made: bool) -> BidResult:
    record = _file(home, day, session, number, "json")
    facts = json.loads(record.read_text(encoding="utf-8"))
    return BidResult(
        day=day,
        session=session,
        version=number,
        label=facts["label"],
        file=_file(home, day, session, number, "csv"),
        record=record,
        page=_file(home, day, session, number, "html"),
        made=made,
        facts=facts,
    )


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.part")
    with unfinished.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
