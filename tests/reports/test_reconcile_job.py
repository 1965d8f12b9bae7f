"""Reconciling from a home: kept beside the run, worked like its findings, printed, and found out when changed."""

from __future__ import annotations

import json
import shutil
import sys
from io import BytesIO

import pyarrow.parquet as pq
import pytest
from openpyxl import load_workbook
from small_month import MONTH, add_run, deliveries, month_lines

import cli
from ingest.deliver import deliver_many
from jobs import actor
from jobs import run_life as life
from jobs.access import NotAllowedError
from jobs.actor import Actor, Role
from jobs.reconcile import NothingToCompareError, reconcile
from jobs.verify_run import verify
from market.periods import Month
from settlement.run_life import NotNowError, State
from warehouse import audit_log
from warehouse.home import create, home
from warehouse.run_log import run_standing

PEOPLE = {
    person: Actor(person, person, f"os:{person}", frozenset({role}), frozenset({"jinan", "province"}))
    for person, role in (
        ("wang", Role.PREPARER),
        ("li", Role.CHECKER),
        ("zhao", Role.APPROVER),
        ("zhou", Role.AUDITOR),
    )
}
HEAD = "participant_id,month,charge_code,quantity_mwh,amount_cny"


@pytest.fixture(scope="module")
def settled(tmp_path_factory):
    """The small month of the reports, and its wholesale lines as the centre would state them."""
    folder = tmp_path_factory.mktemp("files")
    deliveries(folder)
    at = home(tmp_path_factory.mktemp("reconcile"))
    create(at)
    deliver_many(at, [folder])
    run = add_run(at, month_lines(), 1, None)
    rows = [
        [row["participant_id"], "2022-07", row["charge_code"], row["quantity_mwh"] or 0, row["amount_cny"]]
        for row in pq.read_table(run.folder / "lines.parquet").to_pylist()
        if row["amount_cny"] is not None
    ]
    return at, run, rows


@pytest.fixture
def scenario(settled, tmp_path, monkeypatch):
    """A copy of that home; ``state(**changes)`` delivers a statement, ``act_as(person)`` changes who acts."""
    base, run, rows = settled
    at = home(tmp_path / "home")
    shutil.copytree(base.root, at.root)
    act_as = lambda person: monkeypatch.setattr(actor, "current", lambda _home: PEOPLE[person])  # noqa: E731

    def state(wrong=None, name="statements_received.csv"):
        told = [[*row[:4], (wrong or {}).get((row[0], row[2]), row[4])] for row in rows]
        file = tmp_path / name
        file.write_text("\n".join([HEAD, *(",".join(map(str, row)) for row in told)]), "utf-8")
        assert [receipt.status for receipt in deliver_many(at, [file])] == ["accepted"]

    act_as("wang")
    return at, life.runs.find_run(at, run.run_id), state, act_as


def test_a_statement_that_agrees_leaves_the_run_as_it_stands(scenario):
    at, run, state, _ = scenario
    state()
    before = run_standing(at, run).state
    done = reconcile(at, MONTH)
    assert (done.run.run_id, list(done.findings), done.at_stake_fen) == (run.run_id, [], 0)
    assert run_standing(at, run).state is before


def test_a_difference_is_a_finding_of_its_city_and_is_resolved_by_name(scenario):
    at, run, state, act_as = scenario
    state({("W1", "energy_real_time"): 1})
    (finding,) = reconcile(at, MONTH).findings
    assert (finding.code, finding.city) == ("reconcile_other_price", "jinan")
    act_as("li")
    row = next(one.row for one in life.findings(at, run.alias) if one.row["code"] == finding.code)
    life.resolve(at, run.alias, row["finding_id"], "the centre confirmed its slip of the pen")
    assert run_standing(at, run).closed[row["finding_id"]].person == "li"


def test_a_signature_given_before_the_statement_came_does_not_cover_what_it_brought(scenario):
    at, run, state, act_as = scenario
    state({("W1", "energy_real_time"): 1})
    reconcile(at, MONTH)
    act_as("li")
    life.sign_off(at, run.alias, "jinan")
    assert run_standing(at, run).state is State.CHECKED
    act_as("wang")
    state({("W1", "energy_real_time"): 2}, name="statements_received_2.csv")
    reconcile(at, MONTH)
    assert life.open_queues(at, run.alias) == ["jinan"]
    assert run_standing(at, run).state is State.PREPARED
    act_as("zhao")
    with pytest.raises(NotNowError, match="sign off their queues first"):
        life.approve(at, run.alias)
    act_as("li")
    life.sign_off(at, run.alias, "jinan")
    assert life.open_queues(at, run.alias) == []


def test_the_same_comparison_again_is_the_one_that_exists_and_a_new_statement_takes_its_place(scenario):
    at, run, state, _ = scenario
    state({("W1", "energy_real_time"): 1})
    first, again = reconcile(at, MONTH), reconcile(at, MONTH)
    assert (first.new, again.new, again.kept) == (True, False, first.kept)
    state(name="statements_received_2.csv")
    assert list(reconcile(at, MONTH).findings) == []
    assert not [one for one in life.findings(at, run.alias) if one.row["code"].startswith("reconcile")]
    assert len(audit_log.entries(at, run.run_id, ["run.reconcile"])) == 2
    assert verify(at, run) == []


def test_a_comparison_that_was_changed_is_located(scenario):
    at, run, state, _ = scenario
    state()
    table = reconcile(at, MONTH).kept.folder / "comparison.parquet"
    table.write_bytes(table.read_bytes()[:-1] + b"x")
    assert [text for text in verify(at, run) if "comparison.parquet" in text]


def test_it_is_printed_as_a_workbook_and_a_csv_with_chinese_heads(scenario):
    at, _, state, _ = scenario
    state({("W1", "energy_real_time"): 1})
    workbook, table = (file.read_bytes() for file in reconcile(at, MONTH).files)
    book = load_workbook(BytesIO(workbook))
    assert book.sheetnames == ["汇总", "差异", "全部对比", "异常与估算"]
    assert [book["差异"].cell(4, column).value for column in (1, 6)] == ["W1", "电价不符"]
    text = table.decode("utf-8-sig")
    assert table.startswith(b"\xef\xbb\xbf")
    assert text.splitlines()[0].startswith("主体编码,市场主体,地市,科目名称,内部代码,结论,我方电量")
    assert "差异" not in text
    assert "电价不符" in text


def test_without_a_run_or_a_statement_it_says_what_to_do(scenario):
    at, _, _, act_as = scenario
    with pytest.raises(NothingToCompareError, match="settle it first"):
        reconcile(at, Month(2022, 8))
    with pytest.raises(NothingToCompareError, match="ingest the trading centre's"):
        reconcile(at, MONTH)
    act_as("zhou")
    with pytest.raises(NotAllowedError, match="auditor"):
        reconcile(at, MONTH)


def test_the_command_prints_what_machines_read(scenario, monkeypatch, capsys):
    at, run, state, _ = scenario
    state({("W1", "energy_real_time"): 1})
    monkeypatch.setenv("GRIDSETTLE_HOME", str(at.root))
    monkeypatch.setattr(sys, "argv", ["gridsettle", "reconcile", "2022-07", "--run", run.alias, "--json"])
    with pytest.raises(SystemExit) as leaving:
        cli.main()
    said = json.loads(capsys.readouterr().out)
    assert leaving.value.code in (0, None)
    assert (said["run_id"], len(said["findings"])) == (run.run_id, 1)
