"""The log of acts: append-only, every row hashed together with the hash of the row before it.

A changed row no longer has its hash; a removed row breaks the numbers; rows cut off the end are found by the
anchors, which stand outside the database: the file ``log_anchors.txt`` of the home and whatever was printed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, insert, select, text

from warehouse.home import Home, engine, transaction
from warehouse.models import LoggedAct

BEFORE_THE_FIRST = "0" * 64


@dataclass(frozen=True)
class Signature:
    """Who acts: a person, the account that was authenticated, the roles held at that moment."""

    person: str
    account: str
    roles: tuple[str, ...]


@dataclass(frozen=True)
class Entry:
    """One row of the log, as stored. ``detail`` is JSON text; ``at`` is ISO in UTC."""

    seq: int
    at: str
    person: str
    account: str
    roles: str
    act: str
    subject: str
    reason: str
    evidence_sha256: str | None
    detail: str
    previous_hash: str
    hash: str

    @property
    def facts(self) -> dict[str, Any]:
        """The detail as it was given."""
        content: dict[str, Any] = json.loads(self.detail)
        return content

    def computed_hash(self) -> str:
        """sha256 over every other column as one JSON list."""
        content = [value for name, value in asdict(self).items() if name != "hash"]
        return sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()


@dataclass(frozen=True)
class Anchor:
    """The log up to entry ``seq``, in one hash."""

    seq: int
    hash: str

    def __str__(self) -> str:
        return f"{self.seq} {self.hash}"

    @classmethod
    def parse(cls, text: str) -> Anchor:
        """An anchor as printed. Raises ValueError for what is none."""
        seq, _, digest = text.strip().partition(" ")
        if not (seq.isascii() and seq.isdecimal() and int(seq) > 0 and len(digest) == len(BEFORE_THE_FIRST)):
            raise ValueError(
                f"{text!r} is not an anchor; write it as the statement prints it: a number, a blank, 64 characters."
            )
        return cls(int(seq), digest)


class Recorder:
    """Appends within one transaction; ``connection`` is for what must be written together with the act."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        if connection.dialect.name == "postgresql":  # SQLite's writing transactions take turns anyway
            connection.execute(text("LOCK TABLE act_log IN EXCLUSIVE MODE"))
        self.last = _last(connection)

    def entries(self, subject: str) -> list[Entry]:
        """The log of one subject as this transaction sees it."""
        return _entries(self.connection, subject, None)

    def of_act(self, act: str) -> list[Entry]:
        """Every row of one act as this transaction sees it."""
        return _entries(self.connection, None, [act])

    def append(
        self,
        by: Signature,
        act: str,
        subject: str,
        reason: str,
        *,
        evidence_sha256: str | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> Entry:
        """Add one act. ``reason`` is the person's own sentence, empty where the act speaks for itself."""
        unsigned = Entry(
            seq=self.last.seq + 1,
            at=datetime.now(UTC).isoformat(timespec="microseconds"),
            person=by.person,
            account=by.account,
            roles=",".join(sorted(by.roles)),
            act=str(act),
            subject=subject,
            reason=reason,
            evidence_sha256=evidence_sha256,
            detail=json.dumps(detail or {}, ensure_ascii=False, sort_keys=True),
            previous_hash=self.last.hash,
            hash="",
        )
        entry = Entry(**{**asdict(unsigned), "hash": unsigned.computed_hash()})
        self.connection.execute(insert(LoggedAct).values(asdict(entry)))
        self.last = Anchor(entry.seq, entry.hash)
        return entry


@contextmanager
def recording(home: Home) -> Iterator[Recorder]:
    """One transaction in which acts are appended; after it the new end of the log is anchored in the home."""
    with transaction(home) as connection:
        recorder = Recorder(connection)
        before = recorder.last
        yield recorder
    if recorder.last != before:
        _write_anchor(home, recorder.last)


@contextmanager
def recording_with(home: Home) -> Iterator[Callable[..., Callable[[Connection], None]]]:
    """Acts that are appended in somebody else's transaction; after it the end of the log is anchored.

    Gives ``witness(by, act, subject, reason, detail)``, which makes what that transaction calls.
    """

    def witness(
        by: Signature, act: str, subject: str, reason: str, detail: Mapping[str, Any]
    ) -> Callable[[Connection], None]:
        def write(connection: Connection) -> None:
            Recorder(connection).append(by, act, subject, reason, detail=detail)

        return write

    before = anchor(home)
    yield witness
    after = anchor(home)
    if after != before:
        _write_anchor(home, after)


def entries(home: Home, subject: str | None = None, acts: Sequence[str] | None = None) -> list[Entry]:
    """The log in order; of one subject or of some acts where asked."""
    with engine(home).connect() as connection:
        return _entries(connection, subject, acts)


def anchor(home: Home) -> Anchor:
    """The end of the log; entry 0 before the first act."""
    with engine(home).connect() as connection:
        return _last(connection)


def damage(home: Home, printed: Sequence[Anchor] = ()) -> list[str]:
    """One sentence for every row that is not as it was written, and for an end that was cut off.

    printed: anchors from paper or from another machine, looked at besides those of the home.
    """
    anchored, problems = _anchors(home)  # before the log: an act logged meanwhile is no cut
    log = entries(home)
    if len(log) > 1 and not home.anchors.is_file():  # a process may die between its first act and the anchor
        problems.append(
            f"{home.anchors.name} is not in the home, so a cut at the end of the log of acts would not show; "
            "restore it from a backup."
        )
    return [*_chain_damage(log), *problems, *_cuts(log, [*anchored, *printed])]


def _entries(connection: Connection, subject: str | None, acts: Sequence[str] | None) -> list[Entry]:
    query = select(LoggedAct.__table__).order_by(LoggedAct.seq)
    if subject is not None:
        query = query.where(LoggedAct.subject == subject)
    if acts is not None:
        query = query.where(LoggedAct.act.in_([str(act) for act in acts]))
    return [Entry(**row) for row in connection.execute(query).mappings()]


def _chain_damage(log: Sequence[Entry]) -> list[str]:
    problems = []
    before = Anchor(0, BEFORE_THE_FIRST)
    for entry in log:
        if entry.seq != before.seq + 1:
            problems.append(
                f"Entries {before.seq + 1} to {entry.seq - 1} of the log of acts are gone; restore the database "
                "from a backup."
            )
        elif entry.previous_hash != before.hash:
            problems.append(
                f"Entry {entry.seq} of the log of acts does not follow entry {before.seq}: the hash it names is "
                "not that entry's."
            )
        if entry.hash != entry.computed_hash():
            problems.append(
                f"Entry {entry.seq} of the log of acts ({entry.act} of {entry.subject} by {entry.person}) was "
                "changed after it was written: it does not have its hash."
            )
        before = Anchor(entry.seq, entry.hash)
    return problems


def _cuts(log: Sequence[Entry], anchored: Sequence[Anchor]) -> list[str]:
    held = {entry.seq: entry.hash for entry in log}
    last = max(held, default=0)
    furthest = max((known.seq for known in anchored), default=0)
    problems = []
    if furthest > last:
        problems.append(
            f"The log of acts ends at entry {last}, but entry {furthest} was anchored: {furthest - last} entries "
            "were cut off its end; restore the database from a backup."
        )
    problems += [
        f"Entry {known.seq} of the log of acts has another hash than the one anchored when it was written: the "
        "log was replaced or the anchor was changed."
        for known in sorted(set(anchored), key=str)
        if known.seq in held and held[known.seq] != known.hash
    ]
    return problems


def _anchors(home: Home) -> tuple[list[Anchor], list[str]]:
    known, problems = [], []
    lines = home.anchors.read_text("utf-8", errors="replace").splitlines() if home.anchors.is_file() else []
    for number, line in enumerate(lines, 1):
        try:
            known.append(Anchor.parse(line))
        except ValueError:
            problems.append(f"Line {number} of {home.anchors.name} is not an anchor; the file was changed.")
    return known, problems


def _last(connection: Connection) -> Anchor:
    query = select(LoggedAct.seq, LoggedAct.hash).order_by(LoggedAct.seq.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return Anchor(0, BEFORE_THE_FIRST) if row is None else Anchor(row.seq, row.hash)


def _write_anchor(home: Home, last: Anchor) -> None:
    # One write to a file opened for appending: lines of two processes do not mix, their order does not matter.
    handle = os.open(home.anchors, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(handle, f"{last}\n".encode())
        os.fsync(handle)
    finally:
        os.close(handle)
