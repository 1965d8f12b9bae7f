"""Random histories of three months: late readings, changed prices, moved customers, cancelled events, corrections of
corrections. Whatever the order, corrections are full recomputations less what was settled, bridges add up, every
account goes on where it stopped, and every run comes out of its manifest again.
"""

from __future__ import annotations

import json
import os
from decimal import Decimal
from itertools import pairwise

import pandas as pd
import pytest
from approvals import approved, rejected
from changed_books import JULY, MONTHLY, base_rows, copied, differences_of, give, in_month, lines_of, revise
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from jobs import posted
from jobs.basis import past_basis
from jobs.bridge import bridge
from jobs.correct_month import NotCorrectedError, correct
from jobs.month_calculation import calculate_basis
from jobs.reproduce import reproduce
from jobs.settle_month import settle
from market.periods import Month
from settlement.run_life import State
from warehouse import runs
from warehouse.home import Home, create, home

SOAK = bool(os.environ.get("GRIDSETTLE_SOAK"))
MONTHS = (JULY, Month(2022, 8), Month(2022, 9))
CURVES = ("meter_readings", "positions", "prices", "contract_curves", "capacity_available")

whole = st.integers
EVENTS = st.one_of(
    st.tuples(st.just("reading"), st.sampled_from(["M-W1", "M-T1", "M-A1", "M-G1", "M-RES"]), whole(1, 28), whole(1, 3000)),
    st.tuples(st.just("price"), st.sampled_from(["SD_A", "SD_B"]), whole(1, 28), whole(-90, 1400)),
    st.tuples(st.just("customer"), st.sampled_from(["R1", ""]), st.just(0), st.just(0)),
    st.tuples(st.just("multiplier"), st.just("M-W1"), st.just(0), whole(80, 120)),
    st.tuples(st.just("cancelled"), st.just("E1"), st.just(0), st.just(0)),
)  # fmt: skip
# what happens in a step, and what becomes of the correction that follows from it
HISTORY = st.lists(
    st.tuples(
        st.lists(st.tuples(st.sampled_from(MONTHS[:2]), EVENTS), max_size=3),
        st.sampled_from(["approved", "approved", "approved", "rejected", "waiting"]),
    ),
    min_size=3,
    max_size=4,
)


@pytest.fixture(scope="module")
def quarter(tmp_path_factory) -> Home:
    """Three months of the plain market; W1 is called on 28 July."""
    at = home(tmp_path_factory.mktemp("quarter") / "home")
    create(at)
    for table in ("participants", "meters", "sections", "paths"):
        give(at, table, base_rows(table))
    give(at, "contracts", [{**row, "valid_to": "2022-10-01"} for row in base_rows("contracts")])
    for table in (*CURVES, "trades"):
        give(at, table, [row for month in MONTHS for row in in_month(table, month)])
    give_event(at)
    return at


def give_event(at: Home) -> None:
    program = {
        "program_id": "DR", "kind": "emergency", "product": "day_ahead", "direction": "cut", "price_cny": "1.5",
        "price_unit": "per_kwh", "notice_minutes": "720", "minimum_minutes": "60", "floor": "0.8", "cap": "1.2",
        "test": "average", "valid_from": "2022-01-01", "valid_to": "", "source": "test",
    }  # fmt: skip
    event = {
        "event_id": "E1", "program_id": "DR", "date": "2022-07-28", "first_period": "69", "last_period": "80",
        "announced_at": "2022-07-27T10:00:00+08:00", "need_mw": "1", "direction": "cut",
    }  # fmt: skip
    enrolment = {
        "program_id": "DR", "participant_id": "W1", "tier": "1", "aggregator_id": "", "baseline_method": "mean_5",
        "adjustment": "none", "capability_kw": "2000", "fixed_at": "2022-06-01T09:00:00+08:00",
        "valid_from": "2022-01-01", "valid_to": "",
    }  # fmt: skip
    award = {
        "event_id": "E1",
        "participant_id": "W1",
        "committed_kw": "1000",
        "price_cny": "1.5",
        "price_unit": "per_kwh",
    }
    for table, row in (
        ("dr_programs", program),
        ("dr_events", event),
        ("dr_enrolments", enrolment),
        ("dr_awards", award),
    ):
        give(at, table, [row])
    revise(at, "meter_readings", {"all": "18"}, meter_id="M-W1", date="2022-07-28")


def happen(at: Home, month: Month, event: tuple[str, str, int, int]) -> None:
    what, subject, day, number = event
    date = f"{month}-{day:02d}"
    if what == "reading":
        revise(at, "meter_readings", {"12:00": str(number)}, month, meter_id=subject, date=date)
    elif what == "price":
        revise(at, "prices", {"12:00": str(number)}, month, node=subject, stage="real_time", date=date)
    elif what == "customer":
        kind = "retail_user" if subject else "agency_user"
        revise(at, "participants", {"kind": kind, "retailer_id": subject}, participant_id="T1")
    elif what == "multiplier":
        revise(at, "meters", {"multiplier": str(number)}, meter_id=subject)
    else:
        give(
            at,
            "dr_cancellations",
            [{"event_id": subject, "cancelled_at": "2022-07-28T12:00:00+08:00", "reason": "误"}],
        )


def corrected(at: Home, month: Month, then: str) -> None:
    """Correct a month and approve, reject or leave what comes of it."""
    try:
        run = correct(at, month).run
    except NotCorrectedError as refusal:
        if "Nothing came" not in str(refusal) and "was rejected by" not in str(refusal):
            raise
        return
    if then == "approved" and posted.state(at, run) is not State.APPROVED:
        approved(at, run)
    elif then == "rejected" and posted.state(at, run) is not State.APPROVED:
        rejected(at, run)


@settings(
    max_examples=40 if SOAK else 1,
    deadline=None,
    derandomize=not SOAK,
    phases=(Phase.explicit, Phase.generate),  # a smaller history takes minutes to find and is read as easily
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
@given(history=HISTORY)
def test_whatever_happens_the_books_go_on(quarter: Home, tmp_path_factory, history) -> None:
    assert set(CURVES) | {"trades"} == set(MONTHLY)
    at = copied(quarter, tmp_path_factory.mktemp("history") / "home")
    settle(at, JULY, kind="final")
    for number, (happened, then) in enumerate(history):
        for month, event in happened:
            happen(at, month, event)
        for month in MONTHS[: min(number + 1, 2)]:
            if runs.latest_run(at, "final", str(month)) is not None:
                corrected(at, month, then)
        if number < 2:
            settle(at, MONTHS[number + 1], kind="draft" if number == 1 else "final")
    last = settle(at, MONTHS[2], kind="final").run

    every = [run for run in runs.list_runs(at) if run.kind != "draft"]
    for run in every:
        accounts = pd.read_parquet(run.folder / "accounts.parquet")
        assert (accounts["opening_cny"] + accounts["movement_cny"]).equals(accounts["closing_cny"])
        assert pd.read_parquet(run.folder / "postings.parquet")["amount_cny"].sum() == 0
        check_waiting_is_in_the_manifest(run)
    check_corrections(at, [run for run in every if run.kind == "correction"])
    check_accounts_go_on(at)
    check_posted_once(at, last)
    for run in every:
        assert reproduce(at, run.run_id).differences == ()


def check_waiting_is_in_the_manifest(run: runs.Run) -> None:
    """What a run says of corrections that wait, its manifest names: nothing is said that it does not rest on."""
    found = pd.read_parquet(run.folder / "findings.parquet")
    said = found[found["code"] == "correction_waiting"]["evidence"]
    assert sorted(json.loads(text)["run_id"] for text in said) == run.manifest["waiting"]


def check_corrections(at: Home, corrections: list[runs.Run]) -> None:
    """A correction's difference is the full recomputation less the version before; so is the sum of a bridge."""
    for run in corrections:
        previous = runs.find_run(at, run.previous or "")
        old = lines_of(previous)
        full = {
            (line.participant_id, line.charge_code): Decimal(line.amount_fen).scaleb(-2)
            for line in calculate_basis(past_basis(at, run)).result.lines
            if line.amount_fen is not None
        }
        rows = differences_of(run)
        assert rows["difference_cny"].sum() == 0
        posted = {
            (row.participant_id, row.charge_code): row.difference_cny
            for row in rows.itertuples()
            if row.participant_id is not None and row.difference_cny
        }
        moved = {key: full.get(key, 0) - old.get(key, 0) for key in full.keys() | old.keys()}
        assert posted == {key: change for key, change in moved.items() if change}
        told = bridge(at, previous.run_id, run.run_id)
        assert {
            (row.participant_id, row.charge_code): Decimal(row.difference_fen).scaleb(-2)
            for row in told.rows
            if row.difference_fen
        } == posted
        assert all(sum(row.parts.values()) == row.difference_fen for row in told.rows)
        assert "rounding" not in {cause for row in told.rows for cause in row.parts}


def check_accounts_go_on(at: Home) -> None:
    """What carries forward opens where the month before closed."""
    finals = [run for month in MONTHS if (run := runs.latest_run(at, "final", str(month))) is not None]
    books = [pd.read_parquet(run.folder / "accounts.parquet").set_index("account") for run in finals]
    for before, after in pairwise(books):
        assert after.loc["rounding", "opening_cny"] == before.loc["rounding", "closing_cny"]


def check_posted_once(at: Home, last: runs.Run) -> None:
    """What final months took over is what was approved before they closed, each once, and nothing else."""
    finals = [run for month in MONTHS if (run := runs.latest_run(at, "final", str(month))) is not None]
    assert last in finals
    taken = {
        row for run in finals for row in pd.read_parquet(run.folder / "corrections.parquet")["correction"]
    }
    whole_ones = posted.approved_corrections(at)
    closed = {str(run.month) for run in finals}
    due = {
        run.run_id for run in whole_ones if run.manifest["posted_into"] in closed and len(differences_of(run))
    }
    assert taken == due
    for run in finals:
        shown = pd.read_parquet(run.folder / "corrections.parquet")
        own = shown[shown["participant_id"].notna()].groupby("participant_id")["difference_cny"].sum()
        carried = {who: amount for (who, code), amount in lines_of(run).items() if code == "resettlement"}
        assert carried == own.to_dict()
    for month in MONTHS[
        :2
    ]:  # the chain of a month: every approved version is compared with the approved one before it
        chain = [run for run in whole_ones if run.month == str(month)]
        base = runs.latest_run(at, "final", str(month))
        assert [run.previous for run in chain] == [run.run_id for run in (base, *chain)][: len(chain)]
