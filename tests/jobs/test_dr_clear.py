"""Clearing an event from the warehouse: the awards as a file, and what is refused."""

from __future__ import annotations

import csv
from datetime import datetime
from pathlib import Path

import pytest

from demand_response.lifecycle import State, StepRefusedError
from ingest.deliver import deliver_many
from jobs.dr_clear import OffersMissingError, clear_event
from jobs.dr_events import EventUnknownError, MonthEvents
from jobs.dr_settle import settle_event_report
from jobs.dr_state import state
from warehouse.home import Home, create, home

EVENT = "DR-20220719-DA"
TABLES = ("participants", "dr_programs", "dr_events", "dr_enrolments", "dr_offers")


@pytest.fixture
def invited(tmp_path: Path, sample_folder: Path) -> Home:
    """A home that knows offers of the sample's events, but neither awards nor readings."""
    at = home(tmp_path / "home")
    create(at)
    deliver_many(at, [sample_folder / f"{table}.csv" for table in TABLES])
    return at


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize(("event", "reserve"), [("DR-20220718-EM", 3), (EVENT, 0), ("DR-20220721-DA", 5)])
def test_the_awards_of_the_sample_come_out_of_its_offers(sample_home, event, reserve) -> None:
    done = clear_event(sample_home, event)
    assert (done.as_recorded, done.cleared.short_w, done.cleared.over_w) == (True, 0, 0)
    assert len(done.cleared.reserve) == reserve
    assert done.awards_file is None  # the event is over: nothing is written for ingestion


def test_before_the_call_the_awards_are_written_as_the_table_they_become(invited, sample_folder) -> None:
    done = clear_event(invited, EVENT)
    assert (done.state, done.as_recorded) == (State.INVITED, None)
    expected = [row for row in rows(sample_folder / "dr_awards.csv") if row["event_id"] == EVENT]
    assert rows(done.awards_file) == expected
    (receipt,) = deliver_many(invited, [done.awards_file])
    assert (receipt.table, receipt.status, receipt.accepted) == ("dr_awards", "accepted", len(expected))
    again = clear_event(invited, EVENT)
    assert (again.state, again.as_recorded, again.awards_file) == (State.CALLED, True, None)


def test_the_reserve_list_names_who_would_be_called_next(invited) -> None:
    done = clear_event(invited, "DR-20220721-DA")
    listed = rows(done.reserve_file)
    assert [row["rank"] for row in listed] == ["1", "2", "3", "4", "5"]
    assert {row["reason"] for row in listed} == {"reserve"}
    assert [float(row["price_cny"]) for row in listed] == sorted(float(row["price_cny"]) for row in listed)


def test_an_event_without_readings_is_not_settled(invited) -> None:
    with pytest.raises(StepRefusedError, match=f"Event {EVENT} is invited; it can be settled only when"):
        settle_event_report(invited, EVENT)
    deliver_many(invited, [clear_event(invited, EVENT).awards_file])
    with pytest.raises(StepRefusedError, match="deliver the meter readings"):
        settle_event_report(invited, EVENT)


def test_an_event_nobody_knows_or_nobody_offered_for_is_refused(invited, tmp_path, sample_folder) -> None:
    with pytest.raises(EventUnknownError, match="DR-20220718-EM"):
        clear_event(invited, "DR-1999")
    bare = home(tmp_path / "bare")
    create(bare)
    deliver_many(bare, [sample_folder / f"{table}.csv" for table in TABLES[:-1]])
    with pytest.raises(OffersMissingError, match="ingest its dr_offers file"):
        clear_event(bare, EVENT)


def test_offers_in_another_unit_than_the_program_are_not_compared(invited, tmp_path) -> None:
    wrong = tmp_path / "dr_offers_wrong.csv"
    wrong.write_text(
        f"event_id,participant_id,offered_kw,price_cny,price_unit\n{EVENT},W0001,100,5,per_kw_event\n",
        encoding="utf-8",
    )
    deliver_many(invited, [wrong])
    with pytest.raises(
        ValueError, match=r"W0001 offers event .* per_kw_event, but program DR-DA-2022 is priced per_kwh"
    ):
        clear_event(invited, EVENT)


def test_the_state_is_that_of_the_moment_asked_about_and_not_of_the_clock(sample_home) -> None:
    events = MonthEvents.one(sample_home, EVENT, None)
    (event,) = events.events
    assert state(sample_home, events, event) is State.MEASURED
    noon = datetime.fromisoformat("2022-07-19T12:00:00+08:00")
    assert state(sample_home, events, event, noon) is State.AWARDED  # it begins at 17:00


def test_what_the_terminal_shows_has_both_languages_and_plain_json(invited) -> None:
    done = clear_event(invited, EVENT)
    assert "clearing price 1.41 元 per_kwh" in "\n".join(done.summary("en"))
    assert "出清价 1.41 元" in "\n".join(done.summary("zh"))
    assert done.as_json()["awards"][0] == {
        "participant_id": "A0001",
        "committed_kw": "47460",
        "price_cny": "1.41",
    }
