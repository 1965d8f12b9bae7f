"""The baseline laboratory on the sample month, and the truth that was put into it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from jobs.dr_events import MonthEvents
from jobs.dr_lab import NothingToTryError, try_baselines, write_lab
from market.periods import Month
from market.profiles import profile
from warehouse.home import Home, create, home

JULY = Month(2022, 7)
TRUTH = Path(__file__).resolve().parents[2] / "data" / "sample" / "truth" / "dr_truth.csv"


@pytest.fixture(scope="module")
def lab(sample_home):
    return try_baselines(sample_home, JULY)


def test_every_enrolled_participant_has_a_certified_method_from_days_before_the_first_event(lab) -> None:
    assert len(lab.choice) == len(lab.book.participants) == 40
    assert set(lab.choice["eligibility"]) == {"automatic"}
    assert lab.choice["worst_day"].max() < lab.known_before
    assert str(lab.known_before) == "2022-07-18"


def test_days_of_an_event_are_no_placebo_of_those_who_were_awarded(lab) -> None:
    called = [place for place, day in enumerate(lab.placebos.days) if day.isoformat() == "2022-07-18"]
    awarded = lab.barred[:, lab.book.dates.index(lab.placebos.days[called[0]])]
    assert awarded.sum() == 29
    assert np.isnan(lab.placebos.actual[awarded][:, called]).all()
    assert not np.isnan(lab.placebos.actual[~awarded][:, called]).any()


def test_the_injected_truth_comes_back(lab, sample_home, record_property) -> None:
    """WAPE of the portfolio's certified baseline within 5 %, NMBE within 2 %, over the event windows."""
    rules, _ = profile("SD_2022").settled
    truth = pd.read_csv(TRUTH)
    forecast, uncut, cut, single = [], [], [], 0.0
    for event in MonthEvents.read(sample_home, JULY, None).events:
        curves = lab.certified_baselines(event, rules)
        of_event = truth[truth["event_id"] == event.event_id]
        before = of_event.pivot(index="participant_id", columns="period", values="uncut_kw")
        assert set(before.index) <= set(curves)
        made = np.array([curves[who] for who in before.index])
        forecast.append(made.sum(axis=0))
        uncut.append(before.to_numpy().sum(axis=0))
        cut.append(of_event["true_cut_kw"].sum())
        single += float(np.abs(made - before.to_numpy()).sum())
    error, load = np.concatenate(forecast) - np.concatenate(uncut), np.concatenate(uncut).sum()
    wape, nmbe = np.abs(error).sum() / load, error.sum() / load
    for name, value in (
        ("wape", wape),
        ("nmbe", nmbe),
        ("single", single / load),
        ("reduction", error.sum() / sum(cut)),
    ):
        record_property(name, f"{value:.4%}")
    assert wape < 0.05
    assert abs(nmbe) < 0.02
    assert single / load < 0.05  # even where errors of one customer do not make up for another's
    assert abs(error.sum()) / sum(cut) < 0.05


def test_the_tables_are_written_as_parquet_and_csv_and_again_to_the_same_bytes(
    lab, sample_home, tmp_path
) -> None:
    at = home(tmp_path)
    create(at)
    folder = write_lab(at, lab)
    names = {"evidence", "summary", "by_class", "choice"}
    assert {file.name for file in folder.iterdir()} == {
        f"{n}.{kind}" for n in names for kind in ("parquet", "csv")
    }
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    write_lab(at, try_baselines(sample_home, JULY))
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert pd.read_parquet(folder / "choice.parquet")["method"].tolist() == lab.choice["method"].tolist()


def test_without_enrolments_or_events_there_is_a_sentence(tmp_path, sample_home) -> None:
    empty: Home = home(tmp_path)
    create(empty)
    with pytest.raises(NothingToTryError, match="There is no event in 2022-07"):
        try_baselines(empty, JULY)
    with pytest.raises(NothingToTryError, match="Nobody is enrolled"):
        try_baselines(empty, JULY, window=(69, 80))
    with pytest.raises(NothingToTryError, match="There is no event in 2022-06"):
        try_baselines(sample_home, Month(2022, 6))
