"""From a proposed bid to the file that is handed in: override, approve, reject, hand in; every act under a name, in the log.

A bid that a person changed, or that the check does not pass, needs a reason and the approval of a second person. A
file that breaks the market's format is never taken: the platform would send it back. What is handed in lies under
``handed_in/`` of the session, with its filing record (备案记录), and only there.

Nobody answers in time, or the bid is rejected: the newest bid of the ladder below the search that passes the check is
handed in all the same. It needs no signature: the rule made it, its label says so, the log says why (decision 0044).
"""

from __future__ import annotations

from datetime import date
from hashlib import sha256
from pathlib import Path

import pandas as pd

from jobs import actor
from jobs.access import Act, NotAllowedError, require
from jobs.bid import keep_override
from jobs.bid_checks import check_bid
from jobs.bid_filing import filing
from jobs.bid_session import DAY_AHEAD, Session
from jobs.bid_store import BidResult, NoBidYetError, bid_of_file, versions_of
from market.profiles import profile
from optimization.bid_check import format_problems
from optimization.procurement import NO_NEED, NOTHING, OVERRIDE, RULE, TABLE, YESTERDAY
from warehouse.audit_log import Entry, entries, recording
from warehouse.home import Home

BY_RULE = (RULE, TABLE, YESTERDAY, NOTHING, NO_NEED)  # made without a model's judgement: approved by rule


class BidNotReadyError(ValueError):
    """The bid may not be handed in as it stands; the sentence says what is missing."""


def override(home: Home, day: date, file: Path, reason: str, session: Session = DAY_AHEAD) -> BidResult:
    """Take a bid made by hand as the next version of the session.

    Raises BidNotReadyError for a file the market would refuse or an empty reason, NotAllowedError, NoBidYetError
    where there is no bid to override.
    """
    by = actor.current(home)
    require(by, Act.BID_OVERRIDE)
    if not reason.strip():
        raise BidNotReadyError(
            "An override needs a reason in words; say why the proposed bid is not handed in."
        )
    before = _version(home, day, None, session)
    rules = profile(_profile(before)).traded
    wrong = format_problems(pd.read_csv(file, dtype=str), rules)
    if wrong:
        raise BidNotReadyError(f"The market would refuse {file.name}: {' '.join(wrong)}")
    wrong = check_bid(home, file, profile_name=_profile(before))
    made = keep_override(home, bid_of_file(file), before, reason, by.name, wrong)
    _record(home, by, Act.BID_OVERRIDE, made, reason, {"replaces": before.version, "problems": wrong})
    return made


def approve(
    home: Home, day: date, version: int | None = None, reason: str = "", session: Session = DAY_AHEAD
) -> BidResult:
    """Approve a version, the newest by default; an override by another person than its author.

    A version with problems needs the approver's own reason.
    """
    by = actor.current(home)
    require(by, Act.BID_APPROVE)
    chosen = _version(home, day, version, session)
    authors = {entry.person for entry in _acts(home, chosen, Act.BID_OVERRIDE)}
    if by.person in authors:
        raise NotAllowedError(
            f"{by.name} made version {chosen.version} of {day} by hand; a second person approves it."
        )
    wrong = _problems(home, chosen)
    if wrong and not reason.strip():
        raise BidNotReadyError(
            f"Version {chosen.version} of {day} does not pass the check; give a reason to approve it all the same."
        )
    _record(home, by, Act.BID_APPROVE, chosen, reason, {"problems": wrong})
    return chosen


def reject(home: Home, day: date, version: int, reason: str, session: Session = DAY_AHEAD) -> BidResult:
    """Refuse a version, with a reason; it is not handed in afterwards. Raises BidNotReadyError without a reason."""
    by = actor.current(home)
    require(by, Act.BID_REJECT)
    if not reason.strip():
        raise BidNotReadyError("A rejection needs a reason in words; the desk must know what to change.")
    chosen = _version(home, day, version, session)
    _record(home, by, Act.BID_REJECT, chosen, reason, {})
    return chosen


def hand_in(home: Home, day: date, session: Session = DAY_AHEAD) -> Path:
    """Write the newest version for the trading platform; it must be approved, byte for byte as it is now.

    A proposed bid that does not pass the check is not handed in, approved or not: it must be overridden.
    """
    by = actor.current(home)
    require(by, Act.BID_HAND_IN)
    chosen = _version(home, day, None, session)
    approvals = _approvals(home, chosen)
    if not approvals:
        raise BidNotReadyError(
            f"Version {chosen.version} of {day} has not been approved as it stands; run `gridsettle bid approve {day}`."
        )
    wrong = _problems(home, chosen)
    if wrong and chosen.label != OVERRIDE:
        raise BidNotReadyError(
            f"Version {chosen.version} of {day} does not pass the check: {' '.join(wrong)}"
        )
    return _handed_in(home, by, Act.BID_HAND_IN, chosen, "", approvals[-1].person)


def close(home: Home, day: date, session: Session = DAY_AHEAD) -> Path:
    """Before the window closes: what was approved last, else the bid by rule; what is handed in already stays.

    Raises BidNotReadyError where no version may go, NotAllowedError, NoBidYetError.
    """
    there = handed_in(home, day, session)
    if there is not None:
        return there
    by = actor.current(home)
    require(by, Act.BID_STAND_IN)
    versions = versions_of(home, day, session)
    if not versions:
        _version(home, day, None, session)
    for chosen in reversed(versions):
        approvals = _approvals(home, chosen)
        if approvals and (chosen.label == OVERRIDE or not _problems(home, chosen)):
            return _handed_in(home, by, Act.BID_STAND_IN, chosen, "approved", approvals[-1].person)
    refused = [one for version in versions for one in _acts(home, version, Act.BID_REJECT)]
    why = f"rejected by {refused[-1].person}: {refused[-1].reason}" if refused else "nobody approved in time"
    for chosen in reversed(versions):
        if (
            chosen.label in BY_RULE
            and not _acts(home, chosen, Act.BID_REJECT)
            and not _problems(home, chosen)
        ):
            return _handed_in(home, by, Act.BID_STAND_IN, chosen, f"approved by rule; {why}", "rule")
    raise BidNotReadyError(
        f"No version of {session.subject(day)} is approved or made by rule and passes the check; "
        f"run `gridsettle bid override {day} FILE`."
    )


def handed_in(home: Home, day: date, session: Session = DAY_AHEAD) -> Path | None:
    """The file handed in last, None where none was."""
    found = [_target(one) for one in versions_of(home, day, session) if _target(one).is_file()]
    return found[-1] if found else None


def history(home: Home, day: date, session: Session = DAY_AHEAD) -> list[tuple[BidResult, list[Entry]]]:
    """Every version of a session with what was done to it, by whom and when."""
    return [(one, entries(home, _subject(one))) for one in versions_of(home, day, session)]


def _version(home: Home, day: date, version: int | None, session: Session) -> BidResult:
    found = [one for one in versions_of(home, day, session) if version in (None, one.version)]
    if not found:
        named = "" if version is None else f" version {version}"
        raise NoBidYetError(f"There is no bid{named} for {day}; run `gridsettle bid {day}`.")
    return found[-1]


def _profile(one: BidResult) -> str:
    return str(one.facts.get("profile", "IPSPOT_2022_TRIAL"))


def _problems(home: Home, chosen: BidResult) -> list[str]:
    return check_bid(home, chosen.file, profile_name=_profile(chosen))


def _subject(one: BidResult) -> str:
    return f"{one.session.subject(one.day)} v{one.version}"


def _acts(home: Home, one: BidResult, act: Act) -> list[Entry]:
    return entries(home, _subject(one), [act])


def _approvals(home: Home, chosen: BidResult) -> list[Entry]:
    """Of the bytes as they are now."""
    digest = sha256(chosen.file.read_bytes()).hexdigest()
    return [one for one in _acts(home, chosen, Act.BID_APPROVE) if one.evidence_sha256 == digest]


def _target(one: BidResult) -> Path:
    return one.file.parent / "handed_in" / one.file.name


def _handed_in(
    home: Home, by: actor.Actor, act: Act, chosen: BidResult, reason: str, approved_by: str
) -> Path:
    to = _target(chosen)
    to.parent.mkdir(exist_ok=True)
    to.write_bytes(chosen.file.read_bytes())
    _record(home, by, act, chosen, reason, {"file": to.name})
    entry = _acts(home, chosen, act)[-1]
    record = to.with_name(to.name.replace("bids_", "filing_", 1))
    record.write_bytes(filing(chosen.facts, by.person, entry.at, approved_by, reason))
    return to


def _record(
    home: Home, by: actor.Actor, act: Act, one: BidResult, reason: str, detail: dict[str, object]
) -> None:
    digest = sha256(one.file.read_bytes()).hexdigest()
    with recording(home) as log:
        log.append(by.signature, act, _subject(one), reason, evidence_sha256=digest, detail=detail)
