"""Which feed is in, which is late, and what the late ones touch: the ingest ledger read by table, city and month."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, time, timedelta
from importlib.resources import files
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import yaml
from sqlalchemy import select
from sqlalchemy.orm import Session

from ingest.waiting_rows import entries
from jobs.check_city import check_city, cities
from jobs.delivery_diff import CurveChange, Impact, curve_changes
from market.periods import TIME_ZONE, Month
from market.tables import TABLES
from warehouse.curve_files import dates_in
from warehouse.deliveries import TAKEN, newest_recorded_at
from warehouse.home import Home, engine
from warehouse.models import Arrival, CurveFile, Delivery
from warehouse.runs import Run, list_runs

READINGS = "meter_readings"
SEQUENCE = re.compile(
    r"^(?P<feed>.*[_-]seq)(?P<number>\d{1,9})$"
)  # a running number ends the name: …_seq0012.csv
ACKS = ("accepted", "partly", "duplicate")


@dataclass(frozen=True)
class Answer:
    """One delivery attempt and its answer."""

    number: int
    answer: str
    delivery_id: str
    table: str | None
    file_name: str
    sender: str
    status: str
    rows: int
    accepted: int
    quarantined: int
    revised: int
    unchanged: int
    arrived_at: datetime
    reason: str | None


@dataclass(frozen=True)
class SequenceGap:
    """Numbers that a sender's running file names skip."""

    sender: str
    feed: str
    missing: list[int]


@dataclass(frozen=True)
class Late:
    """The days of one delivery that came after they were due, and what they moved.

    after_run: the run that had been made of the month before this came, None where there is none.
    """

    delivery_id: str
    file_name: str
    recorded_at: datetime
    days: list[date]
    latest_by_days: int
    impact: Impact
    after_run: str | None


@dataclass(frozen=True)
class Feed:
    """One table and city in one month. expected and there count meter-days for readings, days for the rest."""

    table: str
    city: str
    month: str
    expected: int
    there: int
    missing_days: list[date]
    late: list[Late] = field(default_factory=list)


@dataclass(frozen=True)
class Status:
    """The whole answer. as_of: when the newest delivery was recorded."""

    month: str | None
    as_of: datetime | None
    arrivals: list[Answer]
    sequence_gaps: list[SequenceGap]
    feeds: list[Feed]
    waiting: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return asdict(self)


def status(home: Home, month: Month | None = None) -> Status:
    """The ledger of a month, or of all months that have curves."""
    months = [month] if month is not None else _months(home)
    waiting: dict[str, int] = defaultdict(int)
    for entry in entries(home):
        waiting[entry.code] += 1
    answers = _answers(home)
    shown = answers if month is None else _of_month(home, answers, month)
    return Status(
        None if month is None else str(month),
        newest_recorded_at(home),
        shown,
        _sequence_gaps(answers),
        [feed for one in months for feed in _feeds(home, one)],
        dict(sorted(waiting.items())),
    )


def late_deliveries(home: Home, month: Month, as_of: datetime | None) -> list[tuple[str, str, Late]]:
    """(table, city, what came late) of the month among what was recorded up to ``as_of``, in order of arrival."""
    with Session(engine(home), expire_on_commit=False) as session:
        rows = session.execute(
            select(CurveFile, Delivery)
            .join(Delivery, Delivery.delivery_id == CurveFile.delivery_id)
            .where(CurveFile.month == str(month), Delivery.status.in_(TAKEN))
            .order_by(Delivery.recorded_at, CurveFile.table_name, CurveFile.city)
        ).all()
    changes = _Changes(home, month)
    made = [run for run in list_runs(home) if run.month == str(month) and run.kind != "day"]
    return [
        (file.table_name, file.city, late)
        for file, delivery in rows
        if (as_of is None or delivery.recorded_at <= as_of)
        and (late := _late(home, file, delivery, changes, made)) is not None
    ]


def first_recorded_at(home: Home, month: Month) -> datetime | None:
    """When the first curves of the month were recorded; None where there are none."""
    with Session(engine(home)) as session:
        moments = session.scalars(
            select(Delivery.recorded_at)
            .join(CurveFile, Delivery.delivery_id == CurveFile.delivery_id)
            .where(CurveFile.month == str(month), Delivery.status.in_(TAKEN))
        ).all()
    return min(moments, default=None)


def due(table: str, day: date) -> datetime | None:
    """The last moment at which a day's rows are in time; None for tables without a due day."""
    rule = _due_days().get(table)
    if rule is None:
        return None
    return datetime.combine(day + timedelta(days=rule + 1), time(), ZoneInfo(TIME_ZONE))


def _due_days() -> dict[str, int]:
    text = files("data").joinpath("reference", "feeds", "due.yaml").read_text("utf-8")
    return {table: int(rule["days"]) for table, rule in yaml.safe_load(text).items()}


def _answers(home: Home) -> list[Answer]:
    names = [name for name in Answer.__dataclass_fields__ if name not in ("answer", "table")]
    with Session(engine(home)) as session:
        rows = session.scalars(select(Arrival).order_by(Arrival.number)).all()
        return [
            Answer(
                answer="ack" if row.status in ACKS else "nack",
                table=row.table_name,
                **{name: getattr(row, name) for name in names},
            )
            for row in rows
        ]


def _of_month(home: Home, answers: Iterable[Answer], month: Month) -> list[Answer]:
    """Answers to files that speak about the month, or about no day at all."""
    with engine(home).connect() as connection:
        spans = {
            row.delivery_id: (row.first_date, row.last_date)
            for row in connection.execute(
                select(Delivery.delivery_id, Delivery.first_date, Delivery.last_date)
            )
        }

    def of_month(answer: Answer) -> bool:
        first, last = spans.get(answer.delivery_id, (None, None))
        return first is None or last is None or (first < month.after and last >= month.first)

    return [answer for answer in answers if of_month(answer)]


def _sequence_gaps(answers: Iterable[Answer]) -> list[SequenceGap]:
    seen: dict[tuple[str, str], set[int]] = defaultdict(set)
    for answer in answers:
        numbered = SEQUENCE.match(answer.file_name.rpartition(".")[0])
        if numbered is not None and answer.answer == "ack":
            seen[answer.sender, numbered["feed"]].add(int(numbered["number"]))
    gaps = []
    for (sender, feed), numbers in sorted(seen.items()):
        missing = _skipped(numbers)
        if missing:
            gaps.append(SequenceGap(sender, feed, missing))
    return gaps


def _skipped(numbers: set[int], most: int = 1000) -> list[int]:
    """The numbers between those seen, the first ``most`` of them."""
    ordered = sorted(numbers)
    skipped: list[int] = []
    for before, after in pairwise(ordered):
        skipped += range(before + 1, min(after, before + 1 + most - len(skipped)))
    return skipped


def _months(home: Home) -> list[Month]:
    with engine(home).connect() as connection:
        found = connection.scalars(
            select(CurveFile.month).join(Delivery).where(Delivery.status.in_(TAKEN)).distinct()
        )
        return sorted(map(Month.parse, found))


def _feeds(home: Home, month: Month) -> list[Feed]:
    with Session(engine(home), expire_on_commit=False) as session:
        rows = session.execute(
            select(CurveFile, Delivery)
            .join(Delivery, Delivery.delivery_id == CurveFile.delivery_id)
            .where(CurveFile.month == str(month), Delivery.status.in_(TAKEN))
            .order_by(CurveFile.table_name, CurveFile.city, Delivery.recorded_at)
        ).all()
    by_feed: dict[tuple[str, str], list[tuple[CurveFile, Delivery]]] = defaultdict(list)
    for file, delivery in rows:
        by_feed[file.table_name, file.city].append((file, delivery))
    changes = _Changes(home, month)
    made = [run for run in list_runs(home) if run.month == str(month)]
    metered = _cities(home, month)
    feeds = []
    for table, city in sorted(by_feed.keys() | {(READINGS, city) for city in metered}):
        files_there = by_feed.get((table, city), [])
        days = {day for file, _ in files_there for day in dates_in(home, file.path)}
        late = [one for file, delivery in files_there if (one := _late(home, file, delivery, changes, made))]
        feeds.append(_feed(home, table, city, month, days, late, metered))
    return feeds


def _feed(
    home: Home, table: str, city: str, month: Month, days: set[date], late: list[Late], metered: list[str]
) -> Feed:
    wanted = list(month.days())
    if table == READINGS and city in metered:
        checked = check_city(home, month, city)
        missing = sorted({day for _, lacking in checked.missing for day in lacking})
        return Feed(table, city, str(month), checked.expected_days, checked.present_days, missing, late)
    missing = [day for day in wanted if day not in days]
    return Feed(table, city, str(month), len(wanted), len(wanted) - len(missing), missing, late)


def _cities(home: Home, month: Month) -> list[str]:
    try:
        return cities(home, month)
    except ValueError:  # no meter is valid in the month: no reading is expected
        return []


class _Changes:
    """What each delivery changed in the month, worked out once."""

    def __init__(self, home: Home, month: Month) -> None:
        self._home = home
        self._month = month
        self._known: dict[str, list[CurveChange]] = {}

    def of(self, delivery: Delivery) -> list[CurveChange]:
        if delivery.delivery_id not in self._known:
            table = TABLES[str(delivery.table_name)]
            found = curve_changes(self._home, table, delivery, self._month.first, self._month.after)
            self._known[delivery.delivery_id] = list(found)
        return self._known[delivery.delivery_id]


def _late(home: Home, file: CurveFile, delivery: Delivery, changes: _Changes, made: list[Run]) -> Late | None:
    behind = {
        day: delivery.recorded_at - limit
        for day in dates_in(home, file.path)
        if (limit := due(file.table_name, day)) is not None and delivery.recorded_at >= limit
    }
    if not behind:
        return None
    mine = [one for one in changes.of(delivery) if one.city == file.city and one.date in behind]
    return Late(
        delivery.delivery_id,
        delivery.file_name,
        delivery.recorded_at,
        sorted(behind),
        max(behind.values()).days + 1,
        Impact.of(mine),
        _run_before(made, delivery.recorded_at),
    )


def _run_before(made: list[Run], moment: datetime) -> str | None:
    """The newest run whose data end before the moment."""
    before = [
        run
        for run in made
        if (as_of := run.manifest["as_of"]) is not None and datetime.fromisoformat(as_of) < moment
    ]
    return max(before, key=lambda run: (run.manifest["as_of"], run.version)).alias if before else None
