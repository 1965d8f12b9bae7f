"""Airflow on this machine with our DAGs and nothing else: ``python -m jobs.airflow_server``.

For one person at one machine: it listens on 127.0.0.1 only and lets everyone who reaches it act as
administrator. Its metadata stand in a PostgreSQL database of its own (``jobs.local_postgres``), its files
under ``airflow-home``. Ctrl-C or TERM stops all of it.

GRIDSETTLE_HOME: the data the DAGs work on (default ``./var``). GRIDSETTLE_AIRFLOW_HOME: default
``./airflow-home``. GRIDSETTLE_AIRFLOW_PORT: default 8080; the two ports above it serve task logs.
AIRFLOW__DATABASE__SQL_ALCHEMY_CONN (and ``…_CONN_ASYNC``): a running PostgreSQL to use instead.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from jobs import local_postgres
from market.periods import TIME_ZONE
from warehouse.home import Home, create, home
from warehouse.lock import HomeBusyError, exclusive

ADDRESS = "127.0.0.1"
DAGS = Path(__file__).resolve().parent.parent / "dags"
DATABASE = "airflow"
GIVEN_DATABASE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
COMPONENTS = ("metadatabase", "scheduler", "dag_processor", "triggerer")
PATIENCE_S = 180
GRACE_S = 15  # Airflow's children do not all follow a TERM; what is left then is killed
LAST_LINES = 20


class Settings(BaseSettings):
    """GRIDSETTLE_AIRFLOW_HOME and GRIDSETTLE_AIRFLOW_PORT."""

    model_config = SettingsConfigDict(env_prefix="GRIDSETTLE_AIRFLOW_")

    home: Path = Path("airflow-home")
    port: int = Field(default=8080, ge=1024, le=65533)


class AirflowError(RuntimeError):
    """Airflow cannot start or has ended; the sentence says why and what to do."""


class Stopped(BaseException):
    """INT or TERM came."""


def main() -> int:
    """Start, say where it is, wait for the end. Exit status 0 after Ctrl-C or TERM, 1 with a sentence."""
    try:
        with stop_on_signals():
            serve(Settings())
    except Stopped:
        say("Airflow has stopped.")
        return 0
    except (AirflowError, local_postgres.NoPostgresError) as refusal:
        say(str(refusal))
        return 1


def serve(settings: Settings) -> NoReturn:
    """Run Airflow until it ends or ``Stopped`` is raised. Raises AirflowError and NoPostgresError."""
    if find_spec("airflow") is None:
        raise AirflowError(
            "Airflow is not installed; install the extra: pip install 'gridsettle[airflow,postgres]'."
        )
    began = time.monotonic()
    airflow_home, data = settings.home.expanduser().absolute(), home()
    airflow_home.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        try:
            stack.enter_context(exclusive(Home(airflow_home), "airflow", timeout=0))
        except HomeBusyError as busy:
            raise AirflowError(
                f"Airflow is already running in {airflow_home}; stop that one first."
            ) from busy
        for port in range(settings.port, settings.port + 3):
            refuse_taken(port)
        create(data)
        say(f"Airflow is starting; it writes to {airflow_home / 'airflow.log'}.")
        environment = {
            **os.environ,
            **configuration(airflow_home, settings.port),
            "GRIDSETTLE_HOME": str(data.root),
        }
        # Airflow takes seconds longer to start where its bytecode is not kept.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        if GIVEN_DATABASE not in os.environ:
            server = stack.enter_context(local_postgres.running(airflow_home))
            server.ensure_database(DATABASE)
            environment |= database_configuration(server)
        airflow = stack.enter_context(process(environment, airflow_home / "airflow.log"))
        wait_until_healthy(airflow, settings.port, airflow_home / "airflow.log")
        say(welcome(settings.port, data.root, time.monotonic() - began))
        airflow.wait()
        raise ended(airflow, airflow_home / "airflow.log")


def configuration(airflow_home: Path, port: int) -> dict[str, str]:
    """Airflow's settings as environment variables, without the database."""
    address = f"http://{ADDRESS}:{port}"
    settings = {
        "core__dags_folder": str(DAGS),
        "core__load_examples": "False",
        "core__default_timezone": TIME_ZONE,
        "core__executor": "LocalExecutor",
        "core__parallelism": "4",
        # A port alone is not enough: tasks report to the address below and would all fail.
        "core__execution_api_server_url": f"{address}/execution/",
        "core__simple_auth_manager_all_admins": "True",
        "api__host": ADDRESS,
        "api__port": str(port),
        "api__base_url": address,
        "api__workers": "1",
        "logging__worker_log_server_port": str(port + 1),
        "logging__trigger_log_server_port": str(port + 2),
    }
    return {"AIRFLOW_HOME": str(airflow_home)} | {
        f"AIRFLOW__{name.upper()}": value for name, value in settings.items()
    }


def database_configuration(server: local_postgres.Server) -> dict[str, str]:
    """The metadata database for Airflow's blocking and its asynchronous half, both with psycopg 3."""
    return {
        GIVEN_DATABASE: server.url(DATABASE, "psycopg"),
        f"{GIVEN_DATABASE}_ASYNC": server.url(DATABASE, "psycopg_async"),
    }


@contextmanager
def process(environment: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """``airflow standalone`` in a process group of its own; at the end TERM, then KILL for all of it."""
    # Standalone starts its parts as `airflow`: the one beside this interpreter must come first.
    path = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    program = shutil.which("airflow", path=path)
    if program is None:
        raise AirflowError("There is no program `airflow` beside Python; install the extra again.")
    with log.open("ab") as written:
        airflow = subprocess.Popen(  # noqa: S603  our own program and nothing from outside
            [program, "standalone"],
            env={**environment, "PATH": path},
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield airflow
    finally:
        say("Airflow is stopping.")
        end_group(airflow)


def end_group(leader: subprocess.Popen[bytes]) -> None:
    """TERM to the leader's process group, KILL after 15 s to what is left of it."""
    deadline = time.monotonic() + GRACE_S
    with suppress(ProcessLookupError):  # raised when nobody is left in the group
        os.killpg(leader.pid, signal.SIGTERM)
        while time.monotonic() < deadline:
            leader.poll()
            os.killpg(leader.pid, 0)
            time.sleep(0.1)
        os.killpg(leader.pid, signal.SIGKILL)
    leader.wait()


def wait_until_healthy(airflow: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Return when every component reports that it is healthy; AirflowError when it ends or takes too long."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if airflow.poll() is not None:
            raise ended(airflow, log)
        health = component_health(port)
        if all(health.get(component) == "healthy" for component in COMPONENTS):
            return
        time.sleep(0.25)
    raise AirflowError(f"Airflow is not healthy after {PATIENCE_S} s ({health or 'no answer'}); read {log}.")


def component_health(port: int) -> dict[str, str]:
    """The status of each component; empty while nothing answers."""
    connection = HTTPConnection(ADDRESS, port, timeout=5)
    try:
        connection.request("GET", "/api/v2/monitor/health")
        answer = json.loads(connection.getresponse().read())
    except (OSError, HTTPException, ValueError):
        return {}
    finally:
        connection.close()
    return {name: state["status"] for name, state in answer.items() if isinstance(state, dict)}


def refuse_taken(port: int) -> None:
    """AirflowError when something listens on the port already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except OSError as taken:
            raise AirflowError(
                f"Port {port} is in use; stop what listens there, or set GRIDSETTLE_AIRFLOW_PORT to a port that is "
                "free together with the two above it."
            ) from taken


def ended(airflow: subprocess.Popen[bytes], log: Path) -> AirflowError:
    """The error for an Airflow that has ended by itself, with its last words."""
    last = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:])
    return AirflowError(f"{last}\nAirflow has ended by itself with status {airflow.returncode}; read {log}.")


def welcome(port: int, data: Path, seconds: float) -> str:
    """Where it is and how to settle the sample month."""
    address = f"http://{ADDRESS}:{port}"
    return (
        f"Airflow is ready after {seconds:.0f} s at {address} and works on {data}.\n"
        f"Settle a month: {address}/dags/settle_month, Trigger. Everyone on this machine may act as its administrator.\n"
        "Ctrl-C stops it."
    )


@contextmanager
def stop_on_signals() -> Iterator[None]:
    """Turn the first INT or TERM into ``Stopped``; those that follow do not disturb the stopping."""

    def stop(number: int, _frame: object) -> None:
        del number
        for wanted in before:
            signal.signal(wanted, signal.SIG_IGN)
        raise Stopped

    before = {wanted: signal.signal(wanted, stop) for wanted in STOPPING}
    try:
        yield
    finally:
        for wanted, handler in before.items():
            signal.signal(wanted, handler)


def say(text: str) -> None:
    """A line for the person who started us, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
