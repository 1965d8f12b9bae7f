"""From a proposed bid to the file that is handed in: override, approve, hand in; every act under a name, in the log.

A bid that a person changed, or that the check does not pass, needs a reason and the approval of a second person. A
file that breaks the market's format is never taken: the platform would send it back. What is handed in lies under
``handed_in/`` of the day, and only there.
"""

from __future__ import annotations

from datetime import date
from hashlib import sha256
from pathlib import Path

import pandas as pd

from jobs import actor
from jobs.access import Act, NotAllowedError, require
from jobs.bid import check_bid, keep_override
from jobs.bid_store import BidResult, NoBidYetError, bid_of_file, versions_of
from market.profiles import profile
from optimization.bid_check import format_problems
from optimization.procurement import OVERRIDE
from warehouse.audit_log import Entry, entries, recording
from warehouse.home import Home


class BidNotReadyError(ValueError):
    """The bid may not be handed in as it stands; the sentence says what is missing."""


def override(home: Home, day: date, file: Path, reason: str) -> BidResult:
    """Take a bid made by hand as the next version of the day.

    Raises BidNotReadyError for a file the market would refuse or an empty reason, NotAllowedError, NoBidYetError
    where there is no bid to override.
    """
    by = actor.current(home)
    require(by, Act.BID_OVERRIDE)
    if not reason.strip():
        raise BidNotReadyError(
            "An override needs a reason in words; say why the proposed bid is not handed in."
        )
    before = _version(home, day, None)
    wrong = format_problems(pd.read_csv(file, dtype=str), profile("IPSPOT_2022_TRIAL").traded)
    if wrong:
        raise BidNotReadyError(f"The market would refuse {file.name}: {' '.join(wrong)}")
    wrong = check_bid(home, file)
    made = keep_override(home, day, bid_of_file(file), before.facts["node"], reason, by.name, wrong)
    _record(home, by, Act.BID_OVERRIDE, made, reason, {"replaces": before.version, "problems": wrong})
    return made


def approve(home: Home, day: date, version: int | None = None, reason: str = "") -> BidResult:
    """Approve a version, the newest by default; an override by another person than its author.

    A version with problems needs the approver's own reason.
    """
    by = actor.current(home)
    require(by, Act.BID_APPROVE)
    chosen = _version(home, day, version)
    authors = {entry.person for entry in _acts(home, chosen, Act.BID_OVERRIDE)}
    if by.person in authors:
        raise NotAllowedError(
            f"{by.name} made version {chosen.version} of {day} by hand; a second person approves it."
        )
    if _problems(home, chosen) and not reason.strip():
        raise BidNotReadyError(
            f"Version {chosen.version} of {day} does not pass the check; give a reason to approve it all the same."
        )
    _record(home, by, Act.BID_APPROVE, chosen, reason, {"problems": _problems(home, chosen)})
    return chosen


def hand_in(home: Home, day: date) -> Path:
    """Write the newest version for the trading platform; it must be approved, byte for byte as it is now.

    A proposed bid that does not pass the check is not handed in, approved or not: it must be overridden.
    """
    by = actor.current(home)
    require(by, Act.BID_HAND_IN)
    chosen = _version(home, day, None)
    content = chosen.file.read_bytes()
    digest = sha256(content).hexdigest()
    approved = [one for one in _acts(home, chosen, Act.BID_APPROVE) if one.evidence_sha256 == digest]
    if not approved:
        raise BidNotReadyError(
            f"Version {chosen.version} of {day} has not been approved as it stands; run `gridsettle bid approve {day}`."
        )
    wrong = _problems(home, chosen)
    if wrong and chosen.label != OVERRIDE:
        raise BidNotReadyError(
            f"Version {chosen.version} of {day} does not pass the check: {' '.join(wrong)}"
        )
    to = chosen.file.parent / "handed_in" / chosen.file.name
    to.parent.mkdir(exist_ok=True)
    to.write_bytes(content)
    _record(home, by, Act.BID_HAND_IN, chosen, "", {"file": to.name})
    return to


def history(home: Home, day: date) -> list[tuple[BidResult, list[Entry]]]:
    """Every version of a day with what was done to it, by whom and when."""
    return [(one, entries(home, _subject(one))) for one in versions_of(home, day)]


def _version(home: Home, day: date, version: int | None) -> BidResult:
    found = [one for one in versions_of(home, day) if version in (None, one.version)]
    if not found:
        named = "" if version is None else f" version {version}"
        raise NoBidYetError(f"There is no bid{named} for {day}; run `gridsettle bid {day}`.")
    return found[-1]


def _problems(home: Home, chosen: BidResult) -> list[str]:
    return check_bid(home, chosen.file)


def _subject(one: BidResult) -> str:
    return f"bid {one.day} v{one.version}"


def _acts(home: Home, one: BidResult, act: Act) -> list[Entry]:
    return entries(home, _subject(one), [act])


def _record(
    home: Home, by: actor.Actor, act: Act, one: BidResult, reason: str, detail: dict[str, object]
) -> None:
    digest = sha256(one.file.read_bytes()).hexdigest()
    with recording(home) as log:
        log.append(by.signature, act, _subject(one), reason, evidence_sha256=digest, detail=detail)
