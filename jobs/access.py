"""What each role may do. A job asks here before it does anything; every refusal is a sentence.

The table is the whole of it: an act that a role does not stand beside is refused to it on every path.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from jobs.actor import Actor, Role
from settlement.objections import CaseDeed
from settlement.run_life import Deed
from warehouse import printed, reconciliations


class Act(StrEnum):
    """Everything that is done under a name. The values stand in the log."""

    RELEASE = "quarantine.release"
    REFUSE = "quarantine.reject"
    SETTLE = Deed.PREPARE.value
    READ = "run.read"
    READ_LINES = "run.read_lines"
    EXPORT = "run.export"
    EXPORT_MASKED = "run.export_masked"
    JOURNAL = "run.journal"
    NOTICE = "run.notice"
    CONTROL_PACK = "control.pack"
    DRILL = "restore.drill"
    PRINT = printed.PRINT
    RECONCILE = reconciliations.RECONCILE
    RESOLVE = Deed.RESOLVE.value
    WAIVE = Deed.WAIVE.value
    SIGN_OFF = Deed.SIGN_OFF.value
    ADJUST = Deed.ADJUST.value
    APPROVE = Deed.APPROVE.value
    REJECT = Deed.REJECT.value
    PUBLISH = Deed.PUBLISH.value
    BID_OVERRIDE = "bid.override"
    BID_APPROVE = "bid.approve"
    BID_REJECT = "bid.reject"
    BID_HAND_IN = "bid.hand_in"
    BID_STAND_IN = "bid.stand_in"
    OPEN_CASE = CaseDeed.OPEN.value
    UPHOLD_CASE = CaseDeed.UPHOLD.value
    REJECT_CASE = CaseDeed.REJECT.value
    WITHDRAW_CASE = CaseDeed.WITHDRAW.value
    LINK_CASE = CaseDeed.LINK.value
    PACK_CASE = "case.pack"


ROLES: Mapping[Act, frozenset[Role]] = MappingProxyType(
    {
        Act.RELEASE: frozenset({Role.OPERATOR}),
        Act.REFUSE: frozenset({Role.OPERATOR}),
        Act.SETTLE: frozenset({Role.OPERATOR, Role.PREPARER}),
        Act.READ: frozenset(Role) - {Role.ANALYST, Role.TRADER, Role.PARTICIPANT},
        Act.READ_LINES: frozenset(Role) - {Role.ANALYST, Role.TRADER},
        Act.EXPORT: frozenset(Role) - {Role.ANALYST, Role.TRADER},
        Act.EXPORT_MASKED: frozenset({Role.ANALYST, Role.AUDITOR}),
        Act.JOURNAL: frozenset({Role.PREPARER, Role.PUBLISHER, Role.AUDITOR}),
        Act.NOTICE: frozenset({Role.PREPARER, Role.PUBLISHER}),
        Act.CONTROL_PACK: frozenset({Role.AUDITOR}),
        Act.DRILL: frozenset({Role.OPERATOR}),
        Act.PRINT: frozenset({Role.OPERATOR, Role.PREPARER, Role.CHECKER, Role.PUBLISHER}),
        Act.RECONCILE: frozenset({Role.OPERATOR, Role.PREPARER}),
        Act.RESOLVE: frozenset({Role.CHECKER}),
        Act.WAIVE: frozenset({Role.CHECKER}),
        Act.SIGN_OFF: frozenset({Role.CHECKER}),
        Act.ADJUST: frozenset({Role.APPROVER}),
        Act.APPROVE: frozenset({Role.APPROVER}),
        Act.REJECT: frozenset({Role.CHECKER, Role.APPROVER}),
        Act.PUBLISH: frozenset({Role.PUBLISHER}),
        Act.BID_OVERRIDE: frozenset({Role.TRADER}),
        Act.BID_APPROVE: frozenset({Role.TRADER, Role.APPROVER}),
        Act.BID_REJECT: frozenset({Role.TRADER, Role.APPROVER}),
        Act.BID_HAND_IN: frozenset({Role.TRADER}),
        Act.BID_STAND_IN: frozenset({Role.TRADER, Role.OPERATOR}),
        Act.OPEN_CASE: frozenset({Role.PREPARER, Role.CHECKER}),
        Act.UPHOLD_CASE: frozenset({Role.APPROVER}),
        Act.REJECT_CASE: frozenset({Role.APPROVER}),
        Act.WITHDRAW_CASE: frozenset({Role.PREPARER, Role.CHECKER}),
        Act.LINK_CASE: frozenset({Role.PREPARER}),
        Act.PACK_CASE: frozenset({Role.PREPARER, Role.CHECKER, Role.AUDITOR}),
    }
)
WHOLE_PROVINCE = frozenset({Role.OPERATOR, Role.PREPARER, Role.APPROVER, Role.PUBLISHER, Role.AUDITOR})
OF_ONE_CITY = frozenset({Act.RESOLVE, Act.WAIVE, Act.SIGN_OFF})
NOT_WITH_THE_KEYS = frozenset({Act.APPROVE, Act.PUBLISH})


class NotAllowedError(ValueError):
    """The actor may not do this. Trying again changes nothing; another person may."""


def require(actor: Actor, act: Act, city: str | None = None) -> None:
    """Raise NotAllowedError unless a role of the actor stands beside the act, and the city is the actor's.

    city: of the finding or queue, None the province's own; looked at only for acts in a city's queue.
    """
    allowed = ROLES[act]
    if not actor.roles & allowed:
        raise NotAllowedError(
            f"{actor.name} ({actor.account}) may not do {act}: that needs the role "
            f"{' or '.join(sorted(allowed))}, and users.yaml gives {', '.join(sorted(actor.roles)) or 'none'}."
        )
    if act in OF_ONE_CITY and not actor.has(city):
        raise NotAllowedError(
            f"{actor.name} ({actor.account}) may not do {act} for {city or 'the province'}: users.yaml gives the "
            f"cities {', '.join(sorted(actor.cities)) or 'none'}."
        )
    if act in NOT_WITH_THE_KEYS and actor.keeps_roles:
        raise NotAllowedError(
            f"{actor.name} ({actor.account}) may not do {act}: the account owns users.yaml and could give itself "
            "any role. Let another account own the file, or another person act."
        )


def sees_province(actor: Actor) -> bool:
    """Whether sums and rows of the whole province are for this person's eyes."""
    return bool(actor.roles & WHOLE_PROVINCE)


def sees(actor: Actor, city: str | None, participant: str | None = None) -> bool:
    """Whether a row of a city and participant is for this person's eyes; None is a row of no city or participant."""
    return (
        sees_province(actor)
        or (Role.CHECKER in actor.roles and actor.has(city))
        or (Role.PARTICIPANT in actor.roles and participant in actor.participants)
    )


def refuse_hidden(actor: Actor, city: str | None, participant: str) -> None:
    """Raise NotAllowedError for a participant whose lines are not for this person's eyes."""
    if sees(actor, city, participant):
        return
    if Role.PARTICIPANT in actor.roles:
        raise NotAllowedError(
            f"{actor.name} ({actor.account}) may not see {participant}: users.yaml names "
            f"{', '.join(sorted(actor.participants))} as the own participants."
        )
    raise NotAllowedError(
        f"{actor.name} ({actor.account}) may not see {participant}: it is of {city or 'no city'}, and users.yaml gives "
        f"the cities {', '.join(sorted(actor.cities)) or 'none'}."
    )
