"""``audit`` of a run: by rule and city from the run and its log of acts, as far as the actor may see."""

from __future__ import annotations

import json
import sys
from datetime import date, timedelta

import pytest
from small_month import add_run, deliveries, month_lines

import cli
from ingest.deliver import deliver_many
from jobs import actor
from jobs import run_life as life
from jobs.access import NotAllowedError
from jobs.actor import Actor, Role
from jobs.audit import audit
from settlement.findings import Finding, Severity
from warehouse import audit_log
from warehouse.home import create, home

FINDINGS = (
    Finding(
        "zero_energy",
        Severity.REVIEW,
        "M-W1",
        "M-W1 counted nothing.",
        "jinan",
        {"participant_id": "W1"},
        700,
    ),
    Finding("tariff_class_differs", Severity.REVIEW, "A1", "A1 has another class.", "yantai"),
    Finding("register_rolled_over", Severity.INFORM, "M-A1", "M-A1 rolled over.", "yantai"),
)


def person(role, *cities):
    return Actor("p", "p", "os:p", frozenset({role}), frozenset(cities))


@pytest.fixture
def made(tmp_path, monkeypatch):
    """(home, run, the local day on which it was prepared, act_as)."""
    deliveries(tmp_path)
    at = home(tmp_path / "home")
    create(at)
    deliver_many(at, [tmp_path / "participants.csv"])
    run = add_run(at, month_lines(), 1, None, FINDINGS)
    act_as = lambda role, *cities: monkeypatch.setattr(  # noqa: E731
        actor, "current", lambda _home: person(role, *cities)
    )
    act_as(Role.AUDITOR)
    return at, run, audit(at, run.alias, date(2000, 1, 1)), act_as


def day_of(at, run, act):
    from datetime import datetime
    from zoneinfo import ZoneInfo

    entry = audit_log.entries(at, run.run_id, [act])[-1]
    return datetime.fromisoformat(entry.at).astimezone(ZoneInfo("Asia/Shanghai")).date()


def test_it_counts_by_rule_and_city_and_ages_to_the_date_that_is_given(made):
    at, run, _, _ = made
    prepared = day_of(at, run, "run.prepare")
    done = audit(at, run.alias, prepared + timedelta(days=4))
    rules = {row.rule_id: row for row in done.rules}
    assert [rules[name].findings for name in ("R01", "R06", "R12")] == [1, 1, 1]
    cities = {row.city: row for row in done.cities}
    assert {name: (row.accounts, row.passed, row.open) for name, row in cities.items()} == {
        "jinan": (2, 1, 1),
        "yantai": (1, 0, 1),
        "province": (2, 2, 0),
    }
    assert (cities["jinan"].ages, cities["jinan"].oldest_days) == ((0, 1, 0, 0), 4)
    assert str(cities["jinan"].at_stake_cny) == "7.00"


def test_a_finding_that_was_resolved_is_no_longer_open_but_did_not_pass_by_itself(made):
    at, run, before, act_as = made
    act_as(Role.CHECKER, "jinan")
    one = next(one.row["finding_id"] for one in before.findings if one.row["code"] == "zero_energy")
    life.resolve(at, run.alias, one, "the works stand still in July")
    done = audit(at, run.alias, day_of(at, run, "finding.resolve"))
    (jinan,) = done.cities
    assert (jinan.open, jinan.passed, jinan.worked_days) == (0, 1, 0)


def test_a_checker_sees_the_own_city_and_an_analyst_nothing(made):
    at, run, _, act_as = made
    act_as(Role.CHECKER, "yantai")
    assert [row.city for row in audit(at, run.alias, date(2022, 8, 9)).cities] == ["yantai"]
    act_as(Role.ANALYST)
    with pytest.raises(NotAllowedError):
        audit(at, run.alias, date(2022, 8, 9))


def test_the_command_prints_what_machines_read(made, monkeypatch, capsys):
    at, run, _, _ = made
    monkeypatch.setenv("GRIDSETTLE_HOME", str(at.root))
    monkeypatch.setattr(sys, "argv", ["gridsettle", "audit", run.alias, "--on", "2022-08-09", "--json"])
    with pytest.raises(SystemExit):
        cli.main()
    said = json.loads(capsys.readouterr().out)
    assert (len(said["rules"]), [row["city"] for row in said["cities"]]) == (
        30,
        ["jinan", "yantai", "province"],
    )
