"""Deciding on the rows that wait in quarantine: released with corrected cells, or rejected; by whom and why."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from ingest import ledger
from ingest.deliver import LOCK_TIMEOUT, deliver_locked, now
from ingest.ledger import Clock, Decided, Decision
from ingest.receipt import Receipt
from ingest.release import ReleaseRefusedError, drafted, examined
from ingest.waiting_rows import Entry, NotInQuarantineError, entries
from warehouse.home import Home, engine, transaction
from warehouse.lock import exclusive
from warehouse.models import Delivery

Witness = Callable[[Connection], None]


def release(
    home: Home,
    delivery: str,
    lines: Collection[int],
    *,
    actor: str,
    reason: str,
    corrections: Mapping[int, Mapping[str, str]] | None = None,
    clock: Clock = now,
    witness: Witness | None = None,
) -> Receipt:
    """Take rows that wait, with corrected cells, as a delivery of their own; the decision is kept with it.

    corrections: by line, column and new text. witness: writes more in the transaction of the decision. Raises NotInQuarantineError, ReleaseRefusedError (a row is still
    wrong, or a later delivery holds its key), ValueError without a reason.
    """
    corrections = corrections or {}
    with exclusive(home, "ingest", LOCK_TIMEOUT):
        found = _waiting(home, delivery, lines)
        origin = _delivery(home, found[0].delivery_id)
        decisions = [
            _decision(entry, "released", actor, reason, dict(corrections.get(entry.line, {})))
            for entry in found
        ]
        stray = sorted(set(corrections) - set(lines))
        if stray:
            raise ReleaseRefusedError(
                f"Line {stray[0]} has a correction but is not among the lines to release."
            )
        draft = drafted(home, origin, lines, corrections)
        looked = examined(home, origin, draft)
        for line, sentence in sorted({**looked.covered, **looked.wrong}.items()):
            raise ReleaseRefusedError(f"Line {line} of {origin.file_name} cannot be released. {sentence}")
        with tempfile.TemporaryDirectory(prefix=".release-", dir=home.quarantine) as folder:
            file = Path(folder) / draft.name
            file.write_bytes(draft.content)
            return deliver_locked(home, file, f"quarantine: {actor}", clock, Decided(decisions, witness))


def reject(
    home: Home,
    delivery: str,
    lines: Collection[int],
    *,
    actor: str,
    reason: str,
    clock: Clock = now,
    witness: Witness | None = None,
) -> list[Entry]:
    """Decide that rows which wait are never taken. Raises NotInQuarantineError, ValueError without a reason."""
    with exclusive(home, "ingest", LOCK_TIMEOUT):
        found = _waiting(home, delivery, lines)
        decisions = [_decision(entry, "rejected", actor, reason, {}) for entry in found]
        with transaction(home) as connection:
            ledger.record_decisions(connection, Decided(decisions, witness), clock(), None)
    return entries(home, decided=True, delivery=found[0].delivery_id)


def _decision(entry: Entry, decision: str, actor: str, reason: str, correction: dict[str, str]) -> Decision:
    if not reason.strip():
        raise ValueError("A decision on a quarantined row needs a reason; say why in a few words.")
    return Decision(entry.delivery_id, entry.line, decision, actor, reason.strip(), correction or None)


def _waiting(home: Home, delivery: str, lines: Collection[int]) -> list[Entry]:
    by_line = {entry.line: entry for entry in entries(home, decided=None, delivery=delivery)}
    if not lines:
        raise NotInQuarantineError(f"No line was named; {_lines_of(by_line)}")
    for line in sorted(lines):
        if line not in by_line:
            raise NotInQuarantineError(f"Line {line} is not in quarantine; {_lines_of(by_line)}")
        if by_line[line].decision != "waiting":
            one = by_line[line]
            raise NotInQuarantineError(
                f"Line {line} was {one.decision} by {one.actor} on {one.decided_at:%Y-%m-%d %H:%M} UTC "
                f"({one.reason}); a decision is final. Deliver what is right as a file of its own."
            )
    return [by_line[line] for line in sorted(lines)]


def _lines_of(by_line: Mapping[int, Entry]) -> str:
    waiting = [str(line) for line, entry in by_line.items() if entry.decision == "waiting"]
    shown = ", ".join(waiting[:10]) + (" …" if len(waiting) > 10 else "")
    return f"of this delivery wait the lines {shown}." if waiting else "no row of this delivery waits."


def _delivery(home: Home, delivery_id: str) -> Delivery:
    with Session(engine(home), expire_on_commit=False) as session:
        found = session.get_one(Delivery, delivery_id)
        session.expunge(found)
        return found
