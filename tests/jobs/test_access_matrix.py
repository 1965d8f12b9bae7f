"""Role × act × path: what a role may do from a job, the command line and a DAG's task, and nothing else."""

from __future__ import annotations

import sys

import pytest
from life_cases import finding_id, make_run

import cli
from jobs import access, actor, cases
from jobs import run_life as life
from jobs.access import Act, NotAllowedError
from jobs.actor import Actor, Role
from jobs.control_pack import write_control_pack
from jobs.explain import explain
from jobs.export import export
from jobs.journal import write_journal
from jobs.notice import write_notice
from jobs.restore_drill import drill
from jobs.settle_month import settle
from market.periods import Month
from settlement.run_life import NotNowError
from warehouse import audit_log
from warehouse.home import create, home

# One row an act: who may. The table of the code is compared with this one, which is written from users.md §3.
MAY = {
    Act.RELEASE: "operator",
    Act.SETTLE: "operator preparer",
    Act.READ: "operator preparer checker approver publisher auditor",
    Act.READ_LINES: "operator preparer checker approver publisher auditor participant",
    Act.EXPORT: "operator preparer checker approver publisher auditor participant",
    Act.EXPORT_MASKED: "analyst auditor",
    Act.JOURNAL: "preparer publisher auditor",
    Act.NOTICE: "preparer publisher",
    Act.CONTROL_PACK: "auditor",
    Act.DRILL: "operator",
    Act.PRINT: "operator preparer checker publisher",
    Act.RECONCILE: "operator preparer",
    Act.RESOLVE: "checker",
    Act.WAIVE: "checker",
    Act.SIGN_OFF: "checker",
    Act.ADJUST: "approver",
    Act.APPROVE: "approver",
    Act.REJECT: "checker approver",
    Act.PUBLISH: "publisher",
    Act.OPEN_CASE: "preparer checker",
    Act.UPHOLD_CASE: "approver",
    Act.REJECT_CASE: "approver",
    Act.WITHDRAW_CASE: "preparer checker",
    Act.LINK_CASE: "preparer",
    Act.PACK_CASE: "preparer checker auditor",
    Act.REFUSE: "operator",
    Act.BID_OVERRIDE: "trader",
    Act.BID_APPROVE: "trader approver",
    Act.BID_REJECT: "trader approver",
    Act.BID_HAND_IN: "trader",
    Act.BID_STAND_IN: "trader operator",
}
RUN = "2022-07 draft v1"
JOBS = {
    Act.SETTLE: lambda at, one: settle(at, Month(2022, 7)),
    Act.READ: lambda at, one: life.findings(at, RUN),
    Act.RESOLVE: lambda at, one: life.resolve(at, RUN, one, "looked into"),
    Act.WAIVE: lambda at, one: life.waive(at, RUN, one, "accepted as it is"),
    Act.SIGN_OFF: lambda at, one: life.sign_off(at, RUN, "jinan"),
    Act.APPROVE: lambda at, one: life.approve(at, RUN),
    Act.REJECT: lambda at, one: life.reject(at, RUN, "not as it should be"),
    Act.PUBLISH: lambda at, one: life.publish(at, RUN),
    Act.READ_LINES: lambda at, one: explain(at, RUN, "W1", "contract"),
    Act.EXPORT: lambda at, one: export(at, RUN),
    Act.EXPORT_MASKED: lambda at, one: export(at, RUN, masked_rows=True),
    Act.JOURNAL: lambda at, one: write_journal(at, RUN),
    Act.NOTICE: lambda at, one: write_notice(at, RUN),
    Act.CONTROL_PACK: lambda at, one: write_control_pack(at, Month(2022, 7)),
    Act.DRILL: lambda at, one: drill(at, home(at.root / "restored")),
}
# These go on where the role may: what they write is tested where it is written, with a run that has lines.
HAND_OVER = (
    Act.READ_LINES, Act.EXPORT, Act.EXPORT_MASKED, Act.JOURNAL, Act.NOTICE, Act.CONTROL_PACK, Act.DRILL
)  # fmt: skip
COMMANDS = {
    Act.SETTLE: ["settle", "month", "2022-07"],
    Act.READ: ["run", "findings", RUN],
    Act.RESOLVE: ["run", "resolve", RUN, "FINDING", "--reason", "looked into"],
    Act.WAIVE: ["run", "waive", RUN, "FINDING", "--reason", "accepted as it is"],
    Act.SIGN_OFF: ["run", "signoff", RUN, "jinan"],
    Act.APPROVE: ["run", "approve", RUN],
    Act.REJECT: ["run", "reject", RUN, "--reason", "not as it should be"],
    Act.PUBLISH: ["run", "publish", RUN],
    Act.READ_LINES: ["run", "explain", RUN, "W1", "contract"],
    Act.EXPORT: ["run", "export", RUN],
    Act.EXPORT_MASKED: ["run", "export", RUN, "--masked"],
    Act.JOURNAL: ["run", "journal", RUN],
    Act.NOTICE: ["run", "notice", RUN],
    Act.CONTROL_PACK: ["control-pack", "2022-07"],
    Act.DRILL: ["drill", "restored"],
}


def person(role):
    own = frozenset({"W1"}) if role is Role.PARTICIPANT else frozenset()
    return Actor("p", "某人", "os:p", frozenset({role}), frozenset({"*"}), participants=own)


@pytest.fixture(scope="module")
def at(tmp_path_factory):
    made = home(tmp_path_factory.mktemp("matrix"))
    create(made)
    make_run(made)
    return made


@pytest.mark.parametrize("act", list(Act))
def test_the_table_of_the_code_is_the_table_of_this_page(act):
    assert {str(role) for role in access.ROLES[act]} == set(MAY[act].split())


def refused(text, role, act):
    return f"某人 (os:p) may not do {act}: that needs the role" in text and f"users.yaml gives {role}" in text


REFUSALS = [(role, act) for act in JOBS for role in Role if role not in access.ROLES[act]]


@pytest.mark.parametrize(("role", "act"), REFUSALS)
def test_a_job_refuses_the_role_in_a_sentence_and_logs_nothing(at, monkeypatch, role, act):
    monkeypatch.setattr(actor, "current", lambda _home: person(role))
    before = audit_log.anchor(at)
    one = finding_id(cases.runs.find_run(at, RUN), "missing_reading")
    with pytest.raises(NotAllowedError) as refusal:
        JOBS[act](at, one)
    assert refused(str(refusal.value), role, act)
    assert audit_log.anchor(at) == before


@pytest.mark.parametrize(("role", "act"), REFUSALS)
def test_a_command_refuses_the_role_with_the_same_sentence_and_status_one(at, monkeypatch, capsys, role, act):
    monkeypatch.setattr(actor, "current", lambda _home: person(role))
    monkeypatch.setenv("GRIDSETTLE_HOME", str(at.root))
    one = finding_id(cases.runs.find_run(at, RUN), "missing_reading")
    words = [one if word == "FINDING" else word for word in COMMANDS[act]]
    monkeypatch.setattr(sys, "argv", ["gridsettle", *words])
    before = audit_log.anchor(at)
    with pytest.raises(SystemExit) as leaving:
        cli.main()
    assert leaving.value.code == 1
    assert refused(" ".join(capsys.readouterr().err.split()), role, act)
    assert audit_log.anchor(at) == before


ALLOWED = [
    (role, act) for act in JOBS for role in sorted(access.ROLES[act]) if act not in (Act.SETTLE, *HAND_OVER)
]


@pytest.mark.parametrize(("role", "act"), ALLOWED)
def test_an_allowed_role_is_never_told_that_it_may_not(at, monkeypatch, role, act):
    """It may still come at the wrong moment: the life of the run says so, not the access."""
    monkeypatch.setattr(access, "require", recorded := Recorder(access.require))
    monkeypatch.setattr(actor, "current", lambda _home: person(role))
    monkeypatch.setattr(audit_log.Recorder, "append", lambda *_args, **_more: NOTHING)
    monkeypatch.setattr(life, "point_to", lambda *_: None)
    one = finding_id(cases.runs.find_run(at, RUN), "missing_reading")
    said = ""
    try:
        JOBS[act](at, one)
    except NotNowError as moment:
        said = str(moment)
    assert not said or "cannot be done while" in said or "neither resolved nor waived" in said
    assert recorded.passed == [act]


NOTHING = audit_log.Entry(0, "", "", "", "", "", "", "", None, "{}", "", "")


class Recorder:
    """Which acts were asked for and allowed."""

    def __init__(self, require):
        self.require, self.passed = require, []

    def __call__(self, who, act, city=None):
        self.require(who, act, city)
        self.passed.append(act)


def test_an_analyst_and_a_trader_open_no_case(at, monkeypatch):
    for role in (Role.ANALYST, Role.TRADER):
        monkeypatch.setattr(actor, "current", lambda _home, role=role: person(role))
        with pytest.raises(NotAllowedError):
            cases.cases(at)
