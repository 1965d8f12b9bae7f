"""The life of a run: prepared by one, checked by city, approved by another, published by a third."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from life_cases import PEOPLE, finding_id, make_run

from jobs import actor
from jobs import run_life as life
from jobs.access import NotAllowedError
from jobs.verify_run import verify
from settlement.findings import Finding, Severity
from settlement.run_life import NotNowError, SamePersonError, State
from warehouse import audit_log
from warehouse.home import create, home
from warehouse.run_log import current_run_id, run_standing
from warehouse.runs import RunDamagedError


@pytest.fixture
def at(tmp_path):
    made = home(tmp_path)
    create(made)
    return made


@pytest.fixture
def act_as(monkeypatch):
    """``act_as(person)``: from now on this person acts."""
    return lambda person: monkeypatch.setattr(actor, "current", lambda _home: PEOPLE[person])


@pytest.fixture
def run(at):
    return make_run(at)


def check(at, run, act_as):
    """Both cities work and sign off their queues."""
    act_as("li")
    life.resolve(at, run.alias, finding_id(run, "missing_reading"), "the register was read by hand")
    life.sign_off(at, run.alias, "jinan", "all seen")
    act_as("liu")
    life.sign_off(at, run.alias, "yantai", "the trade is right")


def test_a_run_goes_from_its_preparer_over_its_cities_to_approval_and_publication(at, run, act_as):
    assert run_standing(at, run).state is State.PREPARED
    check(at, run, act_as)
    assert run_standing(at, run).state is State.CHECKED
    act_as("zhao")
    life.approve(at, run.alias)
    assert (run_standing(at, run).state, current_run_id(at, "2022-07")) == (State.APPROVED, None)
    act_as("sun")
    life.publish(at, run.alias)
    assert (run_standing(at, run).state, current_run_id(at, "2022-07")) == (State.PUBLISHED, run.run_id)
    assert verify(at, run) == []
    assert [(entry.act, entry.person) for entry in audit_log.entries(at, run.run_id)] == [
        ("run.prepare", "wang"),
        ("finding.resolve", "li"),
        ("run.signoff", "li"),
        ("run.signoff", "liu"),
        ("run.approve", "zhao"),
        ("run.publish", "sun"),
    ]


def test_a_run_with_nothing_to_look_at_waits_for_no_city(at, act_as):
    clean = make_run(at, ())
    act_as("zhao")
    life.approve(at, clean.alias)
    assert run_standing(at, clean).state is State.APPROVED


def test_a_city_with_an_open_blocking_finding_cannot_sign_off(at, run, act_as):
    act_as("li")
    with pytest.raises(NotNowError, match=r"1 blocking findings of jinan .*missing_reading"):
        life.sign_off(at, run.alias, "jinan")


def test_a_city_without_a_queue_has_nothing_to_sign(at, run, act_as):
    act_as("li")
    with pytest.raises(NotNowError, match="province has nothing to sign off; the queues are jinan, yantai"):
        life.sign_off(at, run.alias, "province")


def test_a_run_that_one_city_has_not_signed_is_not_approved(at, run, act_as):
    act_as("liu")
    life.sign_off(at, run.alias, "yantai")
    act_as("zhao")
    with pytest.raises(NotNowError, match="while the run is prepared"):
        life.approve(at, run.alias)


def test_a_waiver_needs_a_reason_and_stands_by_name(at, run, act_as, tmp_path):
    scan = tmp_path / "scan.pdf"
    scan.write_bytes(b"signed by the customer")
    act_as("li")
    one = finding_id(run, "missing_reading")
    with pytest.raises(ValueError, match="with a reason"):
        life.waive(at, run.alias, one, " ")
    entry = life.waive(at, run.alias, one[:8], "the customer agreed in writing", scan)
    assert (at.evidence / entry.evidence_sha256 / "scan.pdf").read_bytes() == scan.read_bytes()
    (shown,) = life.findings(at, run.alias)  # li sees jinan and the province, not yantai nor weifang
    assert (shown.state, shown.by, shown.reason) == ("finding.waive", "li", "the customer agreed in writing")
    with pytest.raises(NotNowError, match="already closed by li"):
        life.resolve(at, run.alias, one, "seen again")


def test_another_citys_finding_is_not_mine_to_waive(at, run, act_as):
    act_as("liu")
    with pytest.raises(NotAllowedError, match="for jinan"):
        life.waive(at, run.alias, finding_id(run, "missing_reading"), "it is fine")


def test_after_the_sign_off_a_queue_stays_as_it_was_signed(at, act_as):
    two = (
        Finding("a_missing", Severity.REVIEW, "M1", "odd.", city="jinan"),
        Finding("b_missing", Severity.REVIEW, "M2", "odd.", city="yantai"),
    )
    run = make_run(at, two)
    act_as("li")
    life.sign_off(at, run.alias, "jinan")
    with pytest.raises(NotNowError, match="has signed off its queue"):
        life.resolve(at, run.alias, finding_id(run, "a_missing"), "seen")
    with pytest.raises(NotNowError, match="already signed off by li"):
        life.sign_off(at, run.alias, "jinan")


def test_a_line_without_an_amount_cannot_be_waived_and_the_run_not_approved(at, act_as):
    run = make_run(at, (Finding("missing_amount", Severity.BLOCK, "c", "1 line."),), missing=1)
    act_as("li")
    with pytest.raises(NotNowError, match="settle again"):
        life.waive(at, run.alias, finding_id(run, "missing_amount"), "it is small")
    hidden = make_run(at, (), version=2, missing=1)
    act_as("zhao")
    with pytest.raises(NotNowError, match="1 lines without an amount"):
        life.approve(at, hidden.alias)


def test_a_rejected_run_goes_no_further_and_the_version_before_may_be_approved(at, act_as):
    old, new = make_run(at, ()), make_run(at, (), version=2)
    act_as("zhao")
    with pytest.raises(NotNowError, match="v2 is newer"):
        life.approve(at, old.alias)
    life.reject(at, new.alias, "prices of the 3rd are wrong")
    with pytest.raises(NotNowError, match="while the run is rejected"):
        life.approve(at, new.alias)
    life.approve(at, old.alias)


def test_a_month_does_not_go_back_to_an_older_kind_or_version(at, act_as):
    draft, final = make_run(at, ()), make_run(at, (), kind="final")
    for one in (draft, final):
        act_as("zhao")
        life.approve(at, one.alias)
    act_as("sun")
    life.publish(at, final.alias)
    with pytest.raises(NotNowError, match="2022-07 final v1 is already in force"):
        life.publish(at, draft.alias)


STEPS = ("check", "approve", "publish")


@pytest.mark.parametrize(("first", "then"), [(a, b) for a in ("prepare", *STEPS) for b in STEPS if a != b])
def test_no_person_does_two_stages_even_with_every_role(at, act_as, first, then):
    """The person holds all roles; what stops it is what it has done already, under whatever command."""
    order = ("prepare", *STEPS)
    if order.index(first) > order.index(then):
        pytest.skip("the other way round is the same pair")
    run = make_run(at, person="all" if first == "prepare" else "wang")
    for step in STEPS:
        mine = step in (first, then)

        def do(step=step, mine=mine):
            if step == "check":
                if mine:
                    act_as("all")
                    life.sign_off(at, run.alias, "yantai")
                act_as("li")
                life.resolve(at, run.alias, finding_id(run, "missing_reading"), "looked into")
                life.sign_off(at, run.alias, "jinan")
                if not mine:
                    act_as("liu")
                    life.sign_off(at, run.alias, "yantai")
            else:
                act_as("all" if mine else {"approve": "zhao", "publish": "sun"}[step])
                getattr(life, step)(at, run.alias)

        if step == then:
            with pytest.raises(SamePersonError, match="four different people"):
                do()
            return
        do()


def test_the_same_person_under_two_accounts_is_one_person(at, act_as, monkeypatch):
    run = make_run(at, (), person="all")
    other_account = actor.Actor("all", "全能", "airflow:all", PEOPLE["all"].roles, PEOPLE["all"].cities)
    monkeypatch.setattr(actor, "current", lambda _home: other_account)
    with pytest.raises(SamePersonError, match="all may not do run"):
        life.approve(at, run.alias)


def test_a_run_that_was_changed_is_neither_approved_nor_published(at, act_as):
    run = make_run(at, ())
    file = run.folder / "findings.parquet"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + b"x")
    act_as("zhao")
    with pytest.raises(RunDamagedError, match=r"findings.parquet .* was changed"):
        life.approve(at, run.alias)
    file.write_bytes(whole)
    life.approve(at, run.alias)
    file.write_bytes(whole[:-1] + b"x")
    act_as("sun")
    with pytest.raises(RunDamagedError, match=r"findings.parquet .* was changed"):
        life.publish(at, run.alias)
    assert current_run_id(at, run.month) is None


def test_two_approvers_at_once_approve_once(at, act_as, monkeypatch):
    run = make_run(at, ())
    people = iter(["zhao", "qian"])
    monkeypatch.setattr(actor, "current", lambda _home: PEOPLE[next(people)])

    def approve(_):
        try:
            return life.approve(at, run.alias).act
        except NotNowError as refused:
            return str(refused)

    with ThreadPoolExecutor(2) as both:
        said = sorted(both.map(approve, range(2)))
    assert said[0] == "run.approve"
    assert "while the run is approved" in said[1]


def adjustment(approver="zhao"):
    return Finding(
        "manual_adjustment", Severity.BLOCK, "A1", "100.00 by hand.", evidence={"approver": approver}
    )


def test_an_adjustment_is_approved_by_the_person_it_names_and_nobody_else(at, act_as):
    run = make_run(at, (adjustment(),))
    one = finding_id(run, "manual_adjustment")
    act_as("li")
    with pytest.raises(NotAllowedError, match=r"adjustment.approve"):
        life.waive(at, run.alias, one, "looks fine")
    act_as("qian")
    with pytest.raises(NotNowError, match="names zhao as its approver; qian cannot"):
        life.resolve(at, run.alias, one, "looks fine")
    act_as("zhao")
    life.resolve(at, run.alias, one, "the contract of 3 July says so")
    act_as("li")
    life.sign_off(at, run.alias, "province")
    act_as("zhao")
    life.approve(at, run.alias)
