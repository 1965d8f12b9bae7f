"""``gridsettle dr``: what it prints, what it refuses, and that a refusal is one sentence and status 1."""

from __future__ import annotations

import json
import sys

import pytest

import cli
from warehouse.home import create, home


@pytest.fixture
def call(monkeypatch, capsys):
    def run(at, *arguments: str) -> tuple[int, str, str]:
        monkeypatch.setenv("GRIDSETTLE_HOME", str(at.root))
        monkeypatch.setattr(sys, "argv", ["gridsettle", "dr", *arguments])
        with pytest.raises(SystemExit) as leaving:
            cli.main()
        printed = capsys.readouterr()
        return int(leaving.value.code or 0), printed.out, printed.err

    return run


@pytest.fixture
def empty(tmp_path):
    at = home(tmp_path / "home")
    create(at)
    return at


def test_clear_prints_the_awards_for_people_and_for_machines(call, sample_home) -> None:
    status, out, _ = call(sample_home, "clear", "DR-20220721-DA", "--json")
    done = json.loads(out)
    assert (status, len(done["awards"]), len(done["uncleared"]), done["as_recorded"]) == (0, 19, 5, True)
    status, out, _ = call(sample_home, "clear", "DR-20220721-DA", "--lang", "en")
    assert status == 0
    assert "19 awards" in out
    assert "the awards on record are these" in out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("clear", "DR-1"), "There is no event DR-1"),
        (("settle", "DR-1"), "There is no event DR-1"),
        (("bridge", "DR-1"), "run `gridsettle dr settle DR-1` first"),
        (("page", "2022-07 draft v1"), "none yet"),
        (("lab", "2022-07"), "say which periods to try"),
        (("lab", "2022-07", "--periods", "69-80"), "Nobody is enrolled"),
        (("lab", "2022-07", "--periods", "80-69"), "write first and last within 1 to 96"),
        (("settle", "DR-1", "--as-of", "2022-07-22T09:00:00"), "has no offset"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_status_one(call, empty, arguments, sentence) -> None:
    status, _, error = call(empty, *arguments)
    assert status == 1
    assert sentence in error


def test_a_group_without_a_command_shows_its_commands(call, empty) -> None:
    status, out, error = call(empty)
    assert status in (0, 2)
    assert all(name in out + error for name in ("clear", "settle", "bridge", "page", "lab"))
