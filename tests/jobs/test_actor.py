"""Who acts: accounts to people, people to roles, and what a users.yaml may not be."""

from __future__ import annotations

import os
import pwd
import sys
from types import ModuleType, SimpleNamespace

import pytest

from jobs import access, actor
from jobs.access import Act, NotAllowedError
from jobs.actor import Actor, Role, UnknownUserError
from jobs.settle_month import settle
from market.periods import Month
from warehouse.home import create, home

ME = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture
def at(tmp_path):
    made = home(tmp_path)
    create(made)
    return made


def users(at, text):
    at.users.write_text(text, "utf-8")


def test_whoever_makes_the_home_may_prepare_and_not_approve(at):
    who = actor.current(at)
    assert (who.account, Role.PREPARER in who.roles, Role.APPROVER in who.roles) == (f"os:{ME}", True, False)


def test_making_the_home_again_leaves_the_people_as_they_are(at):
    users(at, f"people: {{li: {{name: 李, accounts: ['os:{ME}'], roles: [auditor]}}}}")
    create(at)
    assert actor.current(at).roles == {Role.AUDITOR}


def test_no_variable_of_the_environment_makes_another_person(at, monkeypatch):
    for name in ("USER", "LOGNAME", "LNAME", "USERNAME", "SUDO_USER"):
        monkeypatch.setenv(name, "somebody.else")
    assert actor.current(at).account == f"os:{ME}"


def test_an_account_that_nobody_named_is_refused_with_what_to_write(at):
    users(at, "people: {li: {name: 李, accounts: ['os:nobody.like.this'], roles: [auditor]}}")
    with pytest.raises(UnknownUserError, match=f"os:{ME} is nobody in users.yaml"):
        actor.current(at)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("people: [", "is not YAML"),
        ("people: {li: {name: 李, accounts: ['os:a'], roles: [king]}}", "roles"),
        (
            "people: {li: {name: 李, accounts: ['a'], roles: [auditor]}}",
            "neither os:<name> nor airflow:<user>",
        ),
        ("people: {li: {name: 李, accounts: ['os:a'], roles: [checker]}}", "a checker needs cities"),
        (
            "people: {a: {name: A, accounts: ['os:x'], roles: []}, b: {name: B, accounts: ['os:x'], roles: []}}",
            "os:x stands under more than one person",
        ),
    ],
)
def test_a_users_file_that_is_wrong_says_where(at, text, said):
    users(at, text)
    with pytest.raises(UnknownUserError, match=said):
        actor.current(at)


def test_a_users_file_that_everybody_may_write_is_not_relied_on(at):
    at.users.chmod(0o666)
    with pytest.raises(UnknownUserError, match="chmod o-w"):
        actor.current(at)


def test_a_home_without_users_says_how_to_get_them(at):
    at.users.unlink()
    with pytest.raises(UnknownUserError, match="gridsettle init"):
        actor.current(at)


class Task:
    """As much of an Airflow task's context as is read: the answers above it and who triggered the run."""

    def __init__(self, triggered_by=None, **answers):
        self.answers = answers
        ti = SimpleNamespace(
            task=SimpleNamespace(upstream_task_ids=set(answers)), map_index=-1, xcom_pull=self.pull
        )
        self.context = {"ti": ti, "dag_run": SimpleNamespace(triggering_user_name=triggered_by)}

    def pull(self, task_ids, map_indexes):
        return self.answers[task_ids]


@pytest.fixture
def in_airflow(at, monkeypatch):
    """``in_airflow(task)``: the person behind that task."""
    users(
        at,
        f"people: {{li: {{name: 李, accounts: ['airflow:li.na'], roles: [approver]}}, "
        f"me: {{name: 我, accounts: ['os:{ME}', 'airflow:me'], roles: [preparer]}}}}",
    )

    def person(task):
        sdk = ModuleType("airflow.sdk")
        sdk.get_current_context = lambda: task.context
        monkeypatch.setitem(sys.modules, "airflow.sdk", sdk)
        return actor.current(at)

    return person


def answered(user):
    return {"chosen_options": ["Approve"], "params_input": {}, "responded_by_user": user}


def test_in_airflow_it_is_who_answered_and_not_who_triggered(in_airflow):
    task = Task(triggered_by="me", settle="run 1", approve=answered({"id": "li.na", "name": "li.na"}))
    assert (in_airflow(task).person, in_airflow(task).account) == ("li", "airflow:li.na")


def test_in_airflow_without_a_question_it_is_who_triggered(in_airflow):
    assert in_airflow(Task(triggered_by="me")).person == "me"


@pytest.mark.parametrize("nobody", [None, "dag_test"])
def test_a_run_by_the_timetable_or_from_a_terminal_is_the_account_of_the_worker(in_airflow, nobody):
    assert in_airflow(Task(triggered_by=nobody)).account == f"os:{ME}"


def test_an_answer_that_came_from_the_clock_is_nobodys(in_airflow):
    with pytest.raises(UnknownUserError, match="Nobody answered approve"):
        in_airflow(Task(triggered_by="me", approve=answered(None)))


def test_an_id_of_one_person_and_the_name_of_another_is_refused(in_airflow):
    with pytest.raises(UnknownUserError, match="more than one person"):
        in_airflow(Task(approve=answered({"id": "li.na", "name": "me"})))


def person(*roles, cities=(), keeps=False):
    return Actor("li", "李娜", "os:li", frozenset(roles), frozenset(cities), keeps)


def test_a_role_that_does_not_stand_beside_the_act_is_refused_by_name():
    with pytest.raises(
        NotAllowedError, match=r"李娜 \(os:li\) may not do run.approve: that needs the role approver"
    ):
        access.require(person(Role.PREPARER), Act.APPROVE)
    access.require(person(Role.APPROVER), Act.APPROVE)


@pytest.mark.parametrize(
    ("cities", "city", "may"),
    [
        ({"jinan"}, "jinan", True),
        ({"jinan"}, "yantai", False),
        ({"jinan"}, None, False),
        ({"province"}, None, True),
        ({"province"}, "jinan", False),
        ({"*"}, "yantai", True),
        ({"*"}, None, True),
    ],
)
def test_a_checker_works_the_queue_of_its_own_cities(cities, city, may):
    checker = person(Role.CHECKER, cities=cities)
    if may:
        access.require(checker, Act.WAIVE, city)
    else:
        with pytest.raises(NotAllowedError, match=f"for {city or 'the province'}"):
            access.require(checker, Act.WAIVE, city)


def test_who_keeps_the_roles_does_not_approve():
    with pytest.raises(NotAllowedError, match=r"owns users.yaml"):
        access.require(person(Role.APPROVER, keeps=True), Act.APPROVE)


def test_settling_needs_the_role_and_is_refused_before_anything_is_read(at):
    users(at, f"people: {{li: {{name: 李, accounts: ['os:{ME}'], roles: [auditor]}}}}")
    with pytest.raises(NotAllowedError, match=r"run.prepare"):
        settle(at, Month(2022, 7))
