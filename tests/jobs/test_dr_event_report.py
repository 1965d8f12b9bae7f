"""The provisional report of an event, its next version after a corrected meter, and the bridge to the month's run."""

from __future__ import annotations

import csv
import os
import shutil
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from demand_response.lifecycle import StepRefusedError
from demand_response.sharing import share
from ingest.deliver import deliver_many
from jobs import dr_report
from jobs.demand_response import MonthResponse, record_event
from jobs.dr_bridge import NothingToBridgeError, bridge_event
from jobs.dr_day import EventDays
from jobs.dr_report import PageDiffersError, write_allocation_page
from jobs.dr_settle import settle_event_report
from jobs.settle_month import settle
from market.periods import LABELS, Month
from market.profiles import profile
from reports.charts import library
from warehouse.home import Home, home
from warehouse.runs import RunDamagedError, find_run

JULY = Month(2022, 7)
EVENT = "DR-20220721-DA"
WHO, DAY = "W0023", "2022-07-21"


def copied(at: Home, to: Path) -> Home:
    """The same home elsewhere; curves and files are linked, the database and runs are copies."""
    shutil.copytree(at.curves, to / "curves", copy_function=os.link)
    shutil.copytree(at.inbox, to / "inbox", copy_function=os.link)
    for folder in ("quarantine", "runs", "reports", "locks"):
        shutil.copytree(at.root / folder, to / folder)
    for file in (*at.root.glob("gridsettle.db*"), at.users, at.anchors):
        if file.is_file():
            shutil.copy2(file, to / file.name)
    return home(to)


@pytest.fixture(scope="module")
def own_home(sample_home, settled_sample, tmp_path_factory) -> Home:
    """The settled sample month in a home of these tests' own; reports of events are taken out."""
    at = copied(sample_home, tmp_path_factory.mktemp("event_reports"))
    shutil.rmtree(at.reports / "events", ignore_errors=True)
    return at


@pytest.fixture(scope="module")
def first(own_home):
    return settle_event_report(own_home, EVENT)


def table(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / name).open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_report_says_what_the_month_says_to_the_fen(first, own_home, settled_sample) -> None:
    run = find_run(own_home, settled_sample.run_id)
    response = pd.read_parquet(run.folder / "response.parquet").query("event_id == @EVENT")
    allocation = pd.read_parquet(run.folder / "allocation.parquet").query("event_id == @EVENT")
    assert [row["payment_cny"] for row in table(first.folder, f"response_{EVENT}.csv")] == [
        str(amount) for amount in response["payment_cny"]
    ]
    assert {
        (row["participant_id"], row["tranche"]): row["charge_cny"]
        for row in table(first.folder, f"allocation_{EVENT}.csv")
    } == {(row.participant_id, row.tranche): str(row.charge_cny) for row in allocation.itertuples()}
    assert Decimal(first.facts["cost_cny"]) == response["payment_cny"].sum() - response["penalty_cny"].sum()
    assert Decimal(first.facts["cost_cny"]) == sum(Decimal(x) for x in first.facts["charged_cny"].values())


def test_the_same_readings_give_the_report_that_is_there(first, own_home) -> None:
    before = {file.name: file.read_bytes() for file in first.folder.iterdir()}
    again = settle_event_report(own_home, EVENT)
    assert (again.version, again.written) == (1, False)
    assert {file.name: file.read_bytes() for file in first.folder.iterdir()} == before


def test_the_page_is_one_file_that_opens_offline_and_names_model_and_inputs(first) -> None:
    page = first.page.read_text(encoding="utf-8").replace(library(), "")
    assert "http" not in page
    assert "convex piecewise-linear supply curve" in page
    assert first.facts["identity"] in page
    assert "meter_readings_2022-07_jinan.parquet" in page
    assert all(entry["sha256"][:32] in page for entry in first.facts["inputs"])


def test_without_a_report_there_is_nothing_to_bridge(own_home) -> None:
    with pytest.raises(NothingToBridgeError, match="gridsettle dr settle DR-20220718-EM"):
        bridge_event(own_home, "DR-20220718-EM")


def corrected(at: Home, folder: Path, by: Decimal) -> None:
    """Raise the reading of one meter of WHO in the first quarter-hour of the event by a share."""
    event = EventDays.of_event(at, EVENT, profile("SD_2022"), None)
    meters = event.records["meters"]
    meter = meters[meters["participant_id"] == WHO].iloc[0]["meter_id"]
    place = event.book.participants.index(WHO)
    from datetime import date

    from warehouse.curves import curve_days

    day = date.fromisoformat(DAY)
    (curve,) = curve_days(at, "meter_readings", day, day.replace(day=day.day + 1))
    row = curve.keys["meter_id"].to_pylist().index(meter)
    values = [Decimal(int(value)).scaleb(-6) for value in curve.values[row]]
    values[68] = (values[68] * (1 + by)).quantize(Decimal("0.0001"))
    file = folder / "meter_readings_2022-07-21_corrected.csv"
    file.write_text(
        ",".join(["meter_id", "date", "quality", *LABELS])
        + "\n"
        + ",".join([meter, DAY, "measured", *map(str, values)])
        + "\n",
        encoding="utf-8",
    )
    (receipt,) = deliver_many(at, [file])
    assert receipt.revised == 1
    assert place >= 0


@pytest.fixture(scope="module")
def second(first, own_home, tmp_path_factory):
    """The report after a corrected meter: W0023 drew 20 % more in one quarter-hour than first read."""
    corrected(own_home, tmp_path_factory.mktemp("late"), Decimal("0.2"))
    return settle_event_report(own_home, EVENT)


def test_i4_a_corrected_meter_touches_payment_and_allocation_and_leaves_the_old_report(first, second) -> None:
    assert (second.version, second.written) == (2, True)
    assert first.folder.is_dir()
    paid = {row["participant_id"]: row["payment_cny"] for row in table(first.folder, f"response_{EVENT}.csv")}
    now = {row["participant_id"]: row["payment_cny"] for row in table(second.folder, f"response_{EVENT}.csv")}
    assert {who for who in paid if paid[who] != now[who]} == {WHO}
    assert Decimal(now[WHO]) < Decimal(paid[WHO])
    charged = [
        {
            row["participant_id"]: Decimal(row["charge_cny"])
            for row in table(one.folder, f"allocation_{EVENT}.csv")
        }
        for one in (first, second)
    ]
    assert sum(charged[1].values()) - sum(charged[0].values()) == Decimal(now[WHO]) - Decimal(paid[WHO])


def test_the_bridge_to_the_month_names_the_meter_and_adds_up_to_the_fen(
    second, own_home, settled_sample
) -> None:
    # the newest report knows the correction, the first draft does not: the bridge leads back over it
    bridge = bridge_event(own_home, EVENT, run_name=settled_sample.run_id)
    assert (bridge.old, bridge.new) == ("provisional-v2", "2022-07 draft v1")
    moved = [one for one in bridge.payments if one.before_fen != one.after_fen]
    assert [one.participant_id for one in moved] == [WHO]
    assert moved[0].metered_fen == moved[0].after_fen - moved[0].before_fen > 0
    for one in bridge.charges:
        assert one.before_fen + one.cost_fen + one.drivers_fen == one.after_fen
    assert sum(one.cost_fen for one in bridge.charges) == moved[0].metered_fen
    shown = bridge.as_json()
    assert Decimal(shown["payments_cny"]["metered"]) == Decimal(moved[0].metered_fen) / 100
    assert "2022-07 draft v1" in bridge.summary("en")[0]


def test_with_the_final_month_the_event_is_final_and_the_bridge_ends_at_zero(second, own_home) -> None:
    final = settle(own_home, JULY, kind="final").run
    with pytest.raises(StepRefusedError, match=f"Event {EVENT} is final; .* correcting the month"):
        settle_event_report(own_home, EVENT)
    bridge = bridge_event(own_home, EVENT)
    assert bridge.new == final.alias
    assert {one.after_fen - one.before_fen for one in (*bridge.payments, *bridge.charges)} == {0}
    assert table(bridge.folder, "bridge_payments_provisional-v2_to_final-v1.csv")[0]["after_cny"]


def test_an_economic_event_is_recorded_but_neither_paid_nor_shared(sample_home) -> None:
    days = EventDays.of_event(sample_home, EVENT, profile("SD_2022"), None)
    programs = days.events.tables["dr_programs"].assign(kind="economic")
    days.events = replace(days.events, tables={**days.events.tables, "dr_programs": programs})
    (settled,) = days.settle_all()
    result = MonthResponse()
    assert record_event(settled, days.events.enrolments(settled.event), days.roster, result) is None
    assert {amount.amount_fen for amount in result.amounts} == {0}
    assert result.allocations == []
    assert [one.code for one in result.findings] == ["economic_event_not_shared"]
    assert {row["payment_fen"] for row in result.responses} == {0}
    assert any(row["confirmed_w"] for row in result.responses)


def test_the_other_counterfactual_clears_the_session_again_and_still_closes_the_pool(sample_home) -> None:
    packaged = profile("SD_2022")
    dated = packaged.provincial.dr_counterfactual[0].model_copy(update={"value": "interprovincial"})
    rules = packaged.provincial.model_copy(update={"dr_counterfactual": (dated,)})
    days = EventDays.of_event(sample_home, EVENT, packaged.model_copy(update={"provincial": rules}), None)
    (settled,) = days.settle_all()
    shared = share(settled.case)
    assert shared.model.startswith("inter-provincial session cleared again")
    assert sum(shared.charged().values()) == shared.cost_fen
    stack = share(next(EventDays.of_event(sample_home, EVENT, packaged, None).settle_all()).case)
    assert stack.cost_fen == shared.cost_fen
    assert stack.benefit_fen != shared.benefit_fen
    named = {entry.file_name for entry in days.inputs()}
    assert {"offers.csv", "bids.csv", "atc.csv"} <= named
    assert "bids.csv" not in {
        entry.file_name for entry in EventDays.of_event(sample_home, EVENT, packaged, None).inputs()
    }


@pytest.fixture(scope="module")
def page(own_home, settled_sample):
    """The page of the draft and the laboratory it was written with, which later pages of these tests share."""
    labs = []

    def keep(*arguments):
        labs.append(keep.own(*arguments))
        return labs[-1]

    keep.own = dr_report.laboratory
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dr_report, "laboratory", keep)
        return write_allocation_page(own_home, settled_sample.run_id), labs[0]


def test_the_page_of_a_run_says_what_the_run_says(page, own_home, settled_sample) -> None:
    run = find_run(own_home, settled_sample.run_id)
    text = page[0].read_text(encoding="utf-8")
    lines = pd.read_parquet(run.folder / "lines.parquet")
    charged = lines[lines["charge_code"] == "demand_response_charge"]["amount_cny"].sum()
    assert f"{charged:,.2f}" in text
    assert run.fingerprint in text
    assert "0.00</b><span>无受益者" in text
    assert "http" not in text.replace(library(), "")


def test_a_page_written_again_has_the_same_bytes(page, own_home, settled_sample, monkeypatch) -> None:
    before = page[0].read_bytes()
    monkeypatch.setattr(dr_report, "laboratory", lambda *_: page[1])
    assert write_allocation_page(own_home, settled_sample.run_id).read_bytes() == before


def test_a_page_that_would_say_something_else_than_its_run_is_not_written(
    page, own_home, settled_sample, monkeypatch
) -> None:
    packaged = profile("SD_2022")
    rules = packaged.provincial.model_copy(update={"dr_allocation_rule": "consumption"})
    monkeypatch.setattr(dr_report, "laboratory", lambda *_: page[1])
    monkeypatch.setattr(dr_report, "profile", lambda _: packaged.model_copy(update={"provincial": rules}))
    with pytest.raises(PageDiffersError, match="Settle the month again"):
        write_allocation_page(own_home, settled_sample.run_id)


def test_no_page_of_a_run_whose_files_were_changed(own_home, settled_sample) -> None:
    run = find_run(own_home, settled_sample.run_id)
    file = run.folder / "allocation.parquet"
    kept = file.read_bytes()
    file.write_bytes(kept[:-1] + b"x")
    try:
        with pytest.raises(RunDamagedError, match=r"allocation\.parquet"):
            write_allocation_page(own_home, run.run_id)
    finally:
        file.write_bytes(kept)
