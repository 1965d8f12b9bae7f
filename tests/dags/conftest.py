"""Airflow for these tests: a home of its own with SQLite, named before anything imports airflow."""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import pytest

from warehouse.home import Home, create, home

ROOT = Path(__file__).resolve().parents[2]

AIRFLOW_HOME = Path(tempfile.mkdtemp(prefix="gridsettle-airflow-")) if find_spec("airflow") else None

if AIRFLOW_HOME:
    os.environ |= {
        "AIRFLOW_HOME": str(AIRFLOW_HOME),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{AIRFLOW_HOME / 'airflow.db'}",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
    }


def pytest_unconfigure():
    """Remove Airflow's home; exit handlers do not run in the workers of pytest-xdist."""
    if AIRFLOW_HOME:
        shutil.rmtree(AIRFLOW_HOME, ignore_errors=True)


@pytest.fixture(scope="session")
def dag_bag():
    """Our DAGs, loaded twice so that parse times do not count the first import of Airflow itself."""
    pytest.importorskip("airflow", reason="Airflow is an optional extra: pip install 'gridsettle[airflow]'")
    from airflow.dag_processing.dagbag import DagBag

    DagBag(ROOT / "dags")
    return DagBag(ROOT / "dags")


@pytest.fixture(scope="session")
def airflow_database(dag_bag):
    """Airflow's own tables, in SQLite: one process, one task at a time."""
    from airflow.utils.db import initdb

    initdb()


@pytest.fixture(scope="session")
def run_dag(dag_bag, airflow_database):
    """``run_dag(dag_id, conf, skip=None)`` runs a DAG by ``dag.test()`` and returns its DagRun."""

    def run(dag_id: str, conf: dict[str, object], skip: str | None = None):
        dag = dag_bag.dags[dag_id]
        retries = {task.task_id: task.retries for task in dag.tasks}
        kept = [
            dag.params,
            *(getattr(task, "partial_kwargs", {}).get("params", task.params) for task in dag.tasks),
        ]
        params = [(param, param.value) for one in kept for _, param in one.items()]
        for task in dag.tasks:
            task.retries = 0  # an error shows at once instead of after seven minutes of back-off
        try:
            return dag.test(run_conf=conf, mark_success_pattern=skip)
        finally:
            for task in dag.tasks:
                task.retries = retries[task.task_id]
            for param, value in params:
                param.value = value  # dag.test() leaves what one run was given to the next one of its process

    return run


@pytest.fixture
def answered(monkeypatch, run_dag):
    """``answered(dag_id, conf, answers, skip=None)`` runs a DAG with its questions answered: {task: (user, option, why)}.

    The response is the event with which Airflow resumes the operator; what follows is the operator's own code.
    """
    from airflow.providers.standard.operators.hitl import HITLOperator

    def run(
        dag_id: str,
        conf: dict[str, object],
        answers: dict[str, tuple[str, str, str]],
        skip: str | None = None,
    ):
        def answer(self, context):
            user, option, reason = answers[self.task_id]
            event = {
                "chosen_options": [option],
                "params_input": {"reason": reason},
                "responded_at": datetime.now(UTC),
                "responded_by_user": {"id": user, "name": user},
            }
            return self.execute_complete(context, event)

        with monkeypatch.context() as patch:
            patch.setattr(HITLOperator, "execute", answer)
            return run_dag(dag_id, conf, skip=skip)

    return run


@pytest.fixture
def people(empty_home):
    """Three people: wang prepares (and could approve), li.na checks, zhao.min approves. Returns their home."""
    me = pwd.getpwuid(os.getuid()).pw_name
    empty_home.users.write_text(
        f"""
people:
  wang: {{name: 王伟, accounts: ["os:{me}", "airflow:wang"], roles: [preparer, approver, checker], cities: ["*"]}}
  li: {{name: 李娜, accounts: ["airflow:li.na"], roles: [checker], cities: ["*"]}}
  zhao: {{name: 赵敏, accounts: ["airflow:zhao.min"], roles: [approver]}}
""",
        "utf-8",
    )
    return empty_home


@pytest.fixture
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A created home without data."""
    monkeypatch.setenv("GRIDSETTLE_HOME", str(tmp_path))
    create(home())
    return home()
