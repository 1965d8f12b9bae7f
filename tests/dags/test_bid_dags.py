"""The desk's DAGs: a bid by rule at once, a better one, a person's answer, and always something handed in."""

from __future__ import annotations

import os
import pwd
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ingest.deliver import deliver_many
from jobs.bid_desk import history
from jobs.bid_ladder import search_here
from jobs.bid_session import INTRADAY_STAGE, Session
from warehouse.home import create, home

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "sample" / "2022-07"
TABLES = ("atc", "dr_enrolments", "dr_programs", "participants", "paths", "prices", "sections", "system")
ME = pwd.getpwuid(os.getuid()).pw_name
USERS = f"""
people:
  machine: {{name: 调度账号, accounts: ["os:{ME}"], roles: [operator]}}
  zhao: {{name: 赵敏, accounts: ["airflow:zhao.min"], roles: [approver]}}
  sun: {{name: 孙立, accounts: ["airflow:sun.li"], roles: [analyst]}}
"""
SHANGHAI = ZoneInfo("Asia/Shanghai")

pytestmark = [pytest.mark.xdist_group("airflow"), pytest.mark.timeout(280)]


@pytest.fixture(scope="module")
def desk(run_dag, tmp_path_factory):
    """A home with what a bid reads."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRIDSETTLE_HOME", str(tmp_path_factory.mktemp("desk")))
        create(home())
        home().users.write_text(USERS, "utf-8")
        deliver_many(home(), [SAMPLE / f"{table}.csv" for table in (*TABLES, "trades")])
        yield home()


@pytest.fixture
def morning(desk, monkeypatch, run_dag):
    """``morning(day, answer, dag=...)``: a run whose question is answered (user, option, reason), None by nobody."""
    from airflow.providers.standard.operators.hitl import HITLOperator

    import jobs.bid

    monkeypatch.setitem(jobs.bid.make_bid.__kwdefaults__, "search", _quick)

    def run(day, answer, dag="bid_day_ahead", **conf):
        def respond(self, context):
            user, option, reason = answer or (None, self.defaults[0], "")
            event = {
                "chosen_options": [option],
                "params_input": {"reason": reason},
                "responded_at": datetime.now(UTC),
                "responded_by_user": None if user is None else {"id": user, "name": user},
            }
            return self.execute_complete(context, event)

        with monkeypatch.context() as patch:
            patch.setattr(HITLOperator, "execute", respond)
            return run_dag(dag, {"day": str(day), **conf})

    return run


def _quick(problem, time_limit, solver):
    """The search itself is tested elsewhere; here it finds the curves that are best period by period."""
    return search_here(problem, 0.0, solver)


def acts(day, session=None):
    rows = history(home(), day) if session is None else history(home(), day, session)
    return [(one.version, entry.act, entry.person) for one, entries in rows for entry in entries]


def states(dag_run):
    return Counter((task.task_id, task.state) for task in dag_run.get_task_instances())


def test_an_approved_bid_is_handed_in_under_the_names_of_who_approved_and_who_handed_in(morning):
    day = date(2022, 7, 22)
    done = morning(day, ("zhao.min", "Approve", ""))
    assert done.state == "success", states(done)
    (rule, best) = (one for one, _ in history(home(), day))
    assert (rule.label, best.label) == ("rule", "incumbent")
    assert acts(day) == [(2, "bid.approve", "zhao"), (2, "bid.stand_in", "machine")]
    handed = best.file.parent / "handed_in"
    assert sorted(file.name for file in handed.iterdir()) == [
        f"bids_{day}_v2.csv",
        f"filing_{day}_v2.csv",
    ]


def test_a_run_repeated_changes_nothing(morning):
    day = date(2022, 7, 22)
    before = acts(day)
    assert morning(day, None).state == "success"
    assert acts(day) == before


def test_nobody_answers_and_the_bid_by_rule_is_handed_in(morning):
    day = date(2022, 7, 21)
    assert morning(day, None).state == "success"
    assert acts(day) == [(1, "bid.stand_in", "machine")]


def test_a_rejection_is_logged_and_leaves_the_bid_by_rule(morning):
    day = date(2022, 7, 20)
    assert morning(day, ("zhao.min", "Reject", "宁夏 price is wrong")).state == "success"
    assert acts(day) == [(1, "bid.stand_in", "machine"), (2, "bid.reject", "zhao")]


def test_an_analyst_s_answer_is_refused_and_still_something_is_handed_in(morning):
    day = date(2022, 7, 19)
    done = morning(day, ("sun.li", "Approve", ""))
    assert states(done)["decide", "failed"] == 1
    assert acts(day) == [(1, "bid.stand_in", "machine")]


def test_a_round_is_bid_on_the_position_of_the_day_ahead_trades(morning):
    day, session = date(2022, 7, 22), Session(INTRADAY_STAGE, 10)
    done = morning(day, ("zhao.min", "Approve", ""), dag="bid_intraday", round=10)
    assert done.state == "success", states(done)
    assert [act for _, act, _ in acts(day, session)] == ["bid.approve", "bid.stand_in"]
    (newest, _) = history(home(), day, session)[-1]
    assert newest.facts["position"]["bought_mwh"]["day_ahead 1"] > 0


def test_capability_that_lands_later_makes_a_new_version(morning, run_dag):
    day = date(2022, 7, 21)
    assert run_dag("bid_again", {"day": str(day)}).state == "success"
    before = len(history(home(), day))
    assert before >= 1
    assert run_dag("bid_again", {"day": str(day)}).state == "success"
    assert len(history(home(), day)) == before  # the same data: the version that is there


def test_the_review_follows_the_bid_and_sums_the_month(morning, run_dag):
    from jobs.bid import make_bid

    make_bid(home(), date(2022, 7, 22), stand_by=True)
    assert run_dag("review_purchases", {"day": "2022-07-22"}).state == "success"
    assert (home().reports / "reviews" / "review_2022-07.html").is_file()


def test_the_alarm_is_at_11_15_and_says_what_to_do(empty_home):
    from jobs.bid_clock import NothingHandedInError, alarm

    day, quarter_past = date(2022, 7, 22), datetime(2022, 7, 21, 11, 15, tzinfo=SHANGHAI)
    assert not alarm(empty_home, day, quarter_past - timedelta(seconds=1))
    with pytest.raises(NothingHandedInError, match="no bid is on disk"):
        alarm(empty_home, day, quarter_past)
    assert alarm(empty_home, day, quarter_past + timedelta(minutes=15))  # a rehearsal of a day that is over


def test_a_person_is_asked_until_11_20_and_capability_is_waited_for_ten_minutes_less(empty_home):
    from jobs.bid_clock import asked_until, may_go_on, time_to_answer

    day = date(2022, 7, 22)
    due = datetime(2022, 7, 21, 11, 20, tzinfo=SHANGHAI)
    assert asked_until(day) == due
    assert time_to_answer(day, moment=due - timedelta(minutes=7)) == timedelta(minutes=7)
    assert time_to_answer(day, moment=due) == timedelta(minutes=30)  # a rehearsal
    assert not may_go_on(empty_home, day, due - timedelta(minutes=11))
    assert may_go_on(empty_home, day, due - timedelta(minutes=10))
    round_10 = Session(INTRADAY_STAGE, 10)
    assert asked_until(day, round_10) == datetime(2022, 7, 22, 16, 5, tzinfo=SHANGHAI)


def test_the_round_of_a_run_is_the_one_that_begins_two_hours_later(dag_bag):
    from jinja2 import Environment

    from dags import bid_intraday as wired

    render = Environment().from_string(wired.DELIVERY_DAY + " " + wired.ROUND).render  # noqa: S701
    assert render(partition_key="2022-07-22T18", params={}) == "2022-07-22 10"
    assert render(partition_key="2022-07-22T00", params={}) == "2022-07-22 1"
    assert render(partition_key=None, params={"day": "2022-07-22", "round": 3}) == "2022-07-22 3"
