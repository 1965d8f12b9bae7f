"""The month that the benchmark measures has a line of every charge, so that no formula is missing from its time."""

from __future__ import annotations

from pathlib import Path

from benchmarks.month import ours
from benchmarks.month.build import build
from jobs.settle_month import settle
from market.periods import Month
from warehouse.home import home


def test_the_benchmarks_month_has_a_line_of_every_charge_but_of_corrections(tmp_path: Path, capsys) -> None:
    build(tmp_path, 120)
    run = settle(home(tmp_path / "home"), Month(2022, 7)).run
    assert ours.charges(run.folder).endswith(
        "(without a line: resettlement)"
    )  # no earlier month is there to correct
    assert "ingested" in capsys.readouterr().out
