"""Who sees what came, what is missing, what came late and what it moves; and what quarantine does to a month."""

from __future__ import annotations

import json
import shutil
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

import cli
from ingest.deliver import deliver, deliver_many
from jobs import actor, quarantine
from jobs.access import NotAllowedError
from jobs.delivery_diff import NoSuchDeliveryError, diff
from jobs.feeds import due, status
from jobs.settle_month import settle
from market.periods import Month
from warehouse import audit_log
from warehouse.home import Home, create, home
from warehouse.runs import list_runs, verify

BASE = Path(__file__).resolve().parents[1] / "scenarios" / "base"
JULY = Month(2022, 7)
IN_TIME = datetime(2022, 6, 30, tzinfo=UTC)


def ticking(start: datetime):
    """A clock that goes on by a second each time it is read."""
    return iter(start + timedelta(seconds=n) for n in range(100_000)).__next__


@pytest.fixture(scope="module")
def _month_home(tmp_path_factory):
    at = home(tmp_path_factory.mktemp("month"))
    create(at)
    deliver_many(at, [BASE], sender="sgcc", clock=ticking(IN_TIME))
    return at


@pytest.fixture
def at(_month_home, tmp_path) -> Home:
    """A home of the test's own with the whole month, every file in time."""
    shutil.copytree(_month_home.root, tmp_path / "home")
    return home(tmp_path / "home")


def put(folder: Path, name: str, lines: list[str]) -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def base_rows(name: str, *starts: str) -> list[str]:
    lines = (BASE / name).read_text(encoding="utf-8-sig").splitlines()
    return [lines[0], *(line for line in lines if line.startswith(starts))]


def with_value(row: str, place: int, value: object) -> str:
    cells = row.split(",")
    cells[place] = str(value)
    return ",".join(cells)


def test_every_answer_is_listed_and_a_repeated_file_is_an_ack_that_changed_nothing(at, tmp_path):
    deliver(at, BASE / "meters.csv", sender="sgcc")
    deliver(at, put(tmp_path, "notes.csv", ["a", "1"]), sender="someone")
    answers = status(at).arrivals
    assert len(answers) == len(list(BASE.glob("*.csv"))) + 2
    assert [(a.answer, a.status, a.file_name) for a in answers[-2:]] == [
        ("ack", "duplicate", "meters.csv"),
        ("nack", "rejected", "notes.csv"),
    ]
    assert "The same bytes came as meters.csv" in answers[-2].reason
    assert {a.answer for a in answers[:-2]} == {"ack"}


def test_running_numbers_that_skip_are_named_by_sender(at, tmp_path):
    rows = base_rows("meter_readings.csv", "M-W1")
    meter_day = rows[1]
    for number in (7, 8, 11):
        changed = with_value(meter_day, 5, number)
        deliver(
            at, put(tmp_path, f"meter_readings_jinan_seq{number:04d}.csv", [rows[0], changed]), sender="jinan"
        )
    (gap,) = status(at).sequence_gaps
    assert (gap.sender, gap.feed, gap.missing) == ("jinan", "meter_readings_jinan_seq", [9, 10])


def test_a_whole_month_in_time_has_no_gap_and_nothing_late(at):
    feeds = {(feed.table, feed.city): feed for feed in status(at, JULY).feeds}
    assert ("meter_readings", "jinan") in feeds
    assert {feed.missing_days == [] and feed.late == [] for feed in feeds.values()} == {True}
    assert feeds["prices", "province"].expected == 31


def test_readings_are_due_at_the_end_of_the_next_day():
    assert due("meter_readings", date(2022, 7, 1)) == datetime(2022, 7, 2, 16, tzinfo=UTC)
    assert due("participants", date(2022, 7, 1)) is None


def test_a_late_feed_says_by_how_much_how_many_mwh_and_yuan_and_after_which_run(at, tmp_path):
    run = settle(at, JULY).run
    rows = base_rows("meter_readings.csv", "M-W1,2022-07-01", "M-W1,2022-07-02")
    place = rows[0].split(",").index("00:15")
    cells = rows[1].split(",")
    old = Decimal(cells[place])
    late = put(tmp_path, "meter_readings_late.csv", [rows[0], with_value(rows[1], place, old + 1000)])
    receipt = deliver(at, late, clock=lambda: datetime(2022, 7, 20, tzinfo=UTC))
    assert receipt.revised == 1

    (feed,) = [feed for feed in status(at, JULY).feeds if feed.late]
    (one,) = feed.late
    changed = diff(at, receipt.delivery_id[:10])
    (change,) = changed.curves

    assert (feed.table, feed.city) == ("meter_readings", "jinan")
    assert (one.days, one.latest_by_days, one.after_run) == ([date(2022, 7, 1)], 18, run.alias)
    multiplier = Decimal(
        next(row for row in base_rows("meters.csv", "M-W1")[1:]).split(",")[
            base_rows("meters.csv")[0].split(",").index("multiplier")
        ]
    )
    mwh = 1000 * multiplier / 1000  # 1,000 kWh on the register
    assert one.impact.moved_mwh == changed.impact.moved_mwh == mwh
    price = user_price_of_first_hour("real_time")
    assert one.impact.amount_cny == (mwh * price).quantize(Decimal("0.01"))
    assert (change.known_before, changed.new, changed.revised) == (True, 0, 1)


def user_price_of_first_hour(stage: str) -> Decimal:
    """The simple mean of the generator nodes over four quarters, half up to 0.001 (ruling 6)."""
    header, *rows = [line.split(",") for line in base_rows("prices.csv", "SD_A,", "SD_B,", "SD_USER")]
    first = header.index("00:15")
    mine = [row for row in rows if row[1] == stage and row[2] == "2022-07-01"]
    published = [row for row in mine if row[0] == "SD_USER"]
    nodes = published or [row for row in mine if row[0] in generator_nodes()]
    values = [Decimal(value) for row in nodes for value in row[first : first + 4]]
    return (sum(values) / len(values)).quantize(Decimal("0.001"))


def generator_nodes() -> set[str]:
    header, *rows = [
        line.split(",") for line in (BASE / "participants.csv").read_text("utf-8-sig").splitlines()
    ]
    kind, node = header.index("kind"), header.index("node")
    return {row[node] for row in rows if row[kind] == "generator"}


def test_a_contract_price_that_changes_says_old_and_new(at, tmp_path):
    rows = base_rows("contracts.csv")
    header = rows[0].split(",")
    first = (BASE / "contracts.csv").read_text("utf-8-sig").splitlines()[1]
    place = header.index("price_cny_per_mwh")
    old = Decimal(first.split(",")[place])
    receipt = deliver(at, put(tmp_path, "contracts_new.csv", [rows[0], with_value(first, place, old + 1)]))
    found = diff(at, receipt.delivery_id)
    (change,) = found.records
    assert change.changed == {"price_cny_per_mwh": (f"{old:.3f}", f"{old + 1:.3f}")}
    curves = [line.split(",") for line in base_rows("contract_curves.csv", first.split(",")[0] + ",")[1:]]
    mwh = sum(Decimal(value or 0) for row in curves for value in row[2:])
    assert found.impact.amount_cny == mwh.quantize(Decimal("0.01"))  # one yuan a MWh more


def test_without_a_price_the_money_is_unknown_and_counted_not_zero(at, tmp_path):
    header, row = base_rows("meter_readings.csv", "M-W1,2022-07-01")[:2]
    other_day = row.replace("2022-07-01", "2022-08-01")
    receipt = deliver(at, put(tmp_path, "meter_readings_august.csv", [header, other_day]))
    found = diff(at, receipt.delivery_id)
    assert (found.impact.unpriced, found.curves[0].nano) == (1, None)
    assert found.impact.moved_mwh > 0


def test_an_unknown_delivery_is_refused(at):
    with pytest.raises(NoSuchDeliveryError, match="ingest status"):
        diff(at, "nothing like this")


@pytest.fixture
def acting(monkeypatch):
    wang = actor.Actor("wang", "王", "os:wang", frozenset({actor.Role.OPERATOR}))
    monkeypatch.setattr(actor, "current", lambda home: wang)


def broken_reading(folder: Path) -> Path:
    """Two days of a meter, revised; the first value of the first day is a word."""
    rows = base_rows("meter_readings.csv", "M-W1,2022-07-01", "M-W1,2022-07-02")
    place = rows[0].split(",").index("00:15")
    changed = [with_value(rows[1], place, "n/a"), with_value(rows[2], place, "0.5")]
    return put(folder, "meter_readings_repaired.csv", [rows[0], *changed])


def outputs(run) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.folder.iterdir() if path.name != "manifest.json"}


def test_a_released_row_makes_a_new_draft_that_equals_a_full_rerun_byte_for_byte(at, tmp_path, acting):
    origin = deliver(at, broken_reading(tmp_path))
    first = settle(at, JULY).run

    done = quarantine.release(at, origin.delivery_id, [2], "read again", {2: {"00:15": "0.75"}})

    (run,) = done.settled
    assert (run.alias, run.previous, done.to_correct) == ("2022-07 draft v2", first.run_id, ())
    assert done.checked == {"2022-07 draft v2": ("jinan",)}  # the other cities keep what was found in them
    assert settle(at, JULY, force=True).differences == ()  # computed again from nothing: the same bytes
    # another home that is given the same files in the same order, the mended row as a file like any other
    other = home(tmp_path / "other")
    create(other)
    deliver_many(other, [BASE], clock=ticking(IN_TIME))
    deliver(other, at.inbox / origin.delivery_id[:16] / origin.file_name)
    settle(other, JULY)
    mended = at.inbox / done.receipt.delivery_id[:16] / done.receipt.file_name
    assert deliver(other, mended).delivery_id == done.receipt.delivery_id
    again = settle(other, JULY).run
    assert again.run_id == run.run_id
    assert outputs(again) == outputs(run)
    assert outputs(run) != outputs(first)
    assert verify(run) == []


def test_only_the_month_that_a_released_row_touches_is_settled_again(at, tmp_path, acting):
    header, *july = base_rows("meter_readings.csv", "M-")
    june = [row.replace("2022-07-", "2022-06-") for row in july if "-31," not in row]
    deliver(at, put(tmp_path, "meter_readings_june.csv", [header, *june]))
    capacity = (BASE / "capacity_available.csv").read_text("utf-8-sig").replace("2022-07", "2022-06")
    deliver(at, put(tmp_path, "capacity_available_june.csv", capacity.splitlines()))
    june_run = settle(at, Month(2022, 6)).run
    origin = deliver(at, broken_reading(tmp_path))
    settle(at, JULY)
    before = list_runs(at)

    done = quarantine.release(at, origin.delivery_id, [2], "read again", {2: {"00:15": "0.75"}})

    assert [run.month for run in done.settled] == ["2022-07"]
    assert [run.run_id for run in list_runs(at) if run.month == "2022-06"] == [june_run.run_id]
    assert len(list_runs(at)) == len(before) + 1


def test_a_rejected_row_changes_no_run_and_a_final_month_is_left_to_a_correction(at, tmp_path, acting):
    origin = deliver(at, broken_reading(tmp_path))
    settle(at, JULY, kind="final")
    (entry,) = quarantine.reject(at, origin.delivery_id, [2], "no register to read")
    assert (entry.decision, entry.actor, entry.reason) == ("rejected", "wang", "no register to read")
    assert quarantine.settle_again(at) == ((), ("2022-07",))
    assert len(list_runs(at)) == 1


def test_a_decision_stands_in_the_log_of_acts_and_needs_the_role(at, tmp_path, acting, monkeypatch):
    origin = deliver(at, broken_reading(tmp_path))
    quarantine.reject(at, origin.delivery_id, [2], "no use")
    (entry,) = audit_log.entries(at)
    assert (entry.person, entry.act, entry.subject, entry.reason) == (
        "wang", "quarantine.reject", origin.delivery_id, "no use",
    )  # fmt: skip
    assert (entry.facts, audit_log.damage(at)) == ({"lines": [2]}, [])
    reader = actor.Actor("li", "李", "os:li", frozenset({actor.Role.AUDITOR}))
    monkeypatch.setattr(actor, "current", lambda home: reader)
    with pytest.raises(NotAllowedError, match="needs the role operator"):
        quarantine.release(at, origin.delivery_id, [2], "seen")


@pytest.fixture
def call(at, monkeypatch, capsys):
    monkeypatch.setenv("GRIDSETTLE_HOME", str(at.root))

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["gridsettle", *map(str, arguments)])
        try:
            cli.main()
            code = 0
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def test_the_command_line_takes_files_shows_status_and_decides(call, tmp_path, acting):
    code, out, _ = call("ingest", broken_reading(tmp_path), "--json")
    (receipt,) = json.loads(out)
    delivery = receipt["delivery_id"][:12]
    assert (code, receipt["status"]) == (0, "partly")
    assert call("ingest", "--json", broken_reading(tmp_path))[0] == 0
    shown = json.loads(call("ingest", "status", "2022-07", "--json")[1])
    assert shown["arrivals"][-1]["status"] == "duplicate"
    assert shown["waiting"] == {"bad_number": 1}
    assert "bad_number" in call("ingest", "status")[1]
    assert "1 revised" in call("ingest", "diff", delivery)[1]
    assert json.loads(call("ingest", "diff", delivery, "--json")[1])["revised"] == 1
    assert delivery in call("ingest", "quarantine", "list")[1]
    assert "n/a" in call("ingest", "quarantine", "show", delivery)[1]
    code, _, error = call("ingest", "quarantine", "release", delivery, 2, "--reason", "seen")
    assert (code, "not a plain decimal" in error) == (1, True)
    command = ("ingest", "quarantine", "release", delivery, 2, "--reason", "seen", "--set", "00:15=0.75")
    assert call(*command, "--json")[0] == 0
    assert json.loads(call("ingest", "quarantine", "list", "--json")[1]) == []
    (decided,) = json.loads(call("ingest", "quarantine", "list", "--all", "--json")[1])
    assert (decided["decision"], decided["correction"]) == ("released", {"00:15": "0.75"})
    code, _, error = call("ingest", "quarantine", "reject", delivery, 2, "--reason", "late")
    assert (code, "final" in error) == (1, True)
    assert call("ingest", "quarantine")[0] == 2
    assert call("ingest", "nowhere.csv")[0] == 1


@pytest.mark.parametrize(
    ("written", "lines", "found"),
    [
        (["00:15=1"], [2], {2: {"00:15": "1"}}),
        (["15:00=1"], [15], {15: {"15:00": "1"}}),
        (["2:00:15=1", "3:kwh=2=3"], [2, 3], {2: {"00:15": "1"}, 3: {"kwh": "2=3"}}),
    ],
)
def test_a_correction_names_its_column_and_where_needed_its_line(written, lines, found):
    from commands.ingest import _corrections

    assert _corrections(written, lines) == found
    with pytest.raises(ValueError, match="does not say"):
        _corrections(["4:kwh=1"], [2, 3])
