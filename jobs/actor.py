"""Who acts: the authenticated account of the operating system or of Airflow, mapped to a person with roles.

``users.yaml`` of the home names the people. No job takes a user as an argument and no environment variable or
flag is read; ``current`` is the one function that makes an actor, and what tests replace (ruling 16).
"""

from __future__ import annotations

import os
import pwd
import stat
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from warehouse.audit_log import Signature
from warehouse.home import Home

EVERY_CITY = "*"
PROVINCE = "province"
BY_TERMINAL = "dag_test"  # what Airflow writes where a DAG is run in process, without a login


class Role(StrEnum):
    """What a person may be; ``jobs.access`` says what each role may do."""

    OPERATOR = "operator"
    PREPARER = "preparer"
    CHECKER = "checker"
    APPROVER = "approver"
    PUBLISHER = "publisher"
    AUDITOR = "auditor"
    ANALYST = "analyst"
    TRADER = "trader"
    PARTICIPANT = "participant"


class UnknownUserError(ValueError):
    """The account that acts is nobody in users.yaml, or users.yaml cannot be relied on."""


@dataclass(frozen=True)
class Actor:
    """One person acting through one account.

    ``cities`` are those whose rows a checker sees and signs off, with ``province`` for findings of no city;
    ``participants`` those whose own lines somebody of the market sees;
    ``keeps_roles``: the account owns users.yaml, so could give itself any role.
    """

    person: str
    name: str
    account: str
    roles: frozenset[Role]
    cities: frozenset[str] = frozenset()
    keeps_roles: bool = False
    participants: frozenset[str] = frozenset()

    def has(self, city: str | None) -> bool:
        """Whether a city's queue is this person's; None is the province's own."""
        return EVERY_CITY in self.cities or (city or PROVINCE) in self.cities

    @property
    def signature(self) -> Signature:
        """How the log names this actor."""
        return Signature(self.person, self.account, tuple(sorted(self.roles)))


class Person(BaseModel):
    """One person of users.yaml: accounts as ``os:<name>`` or ``airflow:<user>``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    accounts: tuple[str, ...]
    roles: frozenset[Role]
    cities: frozenset[str] = frozenset()
    participants: frozenset[str] = frozenset()

    @model_validator(mode="after")
    def _complete(self) -> Person:
        for account in self.accounts:
            system, _, user = account.partition(":")
            if system not in ("os", "airflow") or not user:
                raise ValueError(f"account {account!r} is neither os:<name> nor airflow:<user>")
        if Role.CHECKER in self.roles and not self.cities:
            raise ValueError("a checker needs cities: names, 'province' for findings of no city, or '*'")
        if (Role.PARTICIPANT in self.roles) != bool(self.participants):
            raise ValueError(
                "participants: the ids whose lines a person of role participant sees, and of no other role"
            )
        if Role.PARTICIPANT in self.roles and len(self.roles) > 1:
            raise ValueError("who is of the market settles nothing: the role participant stands alone")
        return self


class People(BaseModel):
    """users.yaml: persons by their id."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    people: Mapping[str, Person]

    @model_validator(mode="after")
    def _one_person_an_account(self) -> People:
        held = Counter(account for person in self.people.values() for account in person.accounts)
        shared = sorted(account for account, persons in held.items() if persons > 1)
        if shared:
            raise ValueError(f"account {', '.join(shared)} stands under more than one person")
        return self


def current(home: Home) -> Actor:
    """The person behind this process: who answered or triggered in Airflow, else the account of the system.

    Raises UnknownUserError with what to write into users.yaml.
    """
    known = people(home)
    accounts = _airflow_accounts() or (f"os:{pwd.getpwuid(os.getuid()).pw_name}",)
    found = {
        (who, account)
        for who, person in known.people.items()
        for account in person.accounts
        if account in accounts
    }
    if len({who for who, _ in found}) != 1:
        raise UnknownUserError(
            f"{' / '.join(accounts)} is {'nobody' if not found else 'more than one person'} in {home.users.name} of "
            f"{home.root}; whoever keeps that file adds the account to one person, with roles."
        )
    who, account = min(found)
    person = known.people[who]
    keeps = account.startswith("os:") and home.users.stat().st_uid == os.getuid()
    return Actor(who, person.name, account, person.roles, person.cities, keeps, person.participants)


def people(home: Home) -> People:
    """Everybody in users.yaml. Raises UnknownUserError where the file is missing, wrong, or open to all."""
    file = home.users
    if not file.is_file():
        raise UnknownUserError(
            f"There is no {file.name} in {home.root}; run `gridsettle init`, then edit it."
        )
    if file.stat().st_mode & stat.S_IWOTH:
        raise UnknownUserError(
            f"{file.name} can be written by every account of this machine, so it says nothing about who may do "
            f"what; run `chmod o-w {file.name}`."
        )
    try:
        return People.model_validate(yaml.safe_load(file.read_text("utf-8")))
    except yaml.YAMLError as broken:
        raise UnknownUserError(f"{file.name} is not YAML: {broken}.") from broken
    except ValidationError as wrong:
        first = wrong.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise UnknownUserError(f"{file.name}, {place}: {first['msg']}.") from wrong


def _airflow_accounts() -> tuple[str, ...]:
    """Inside an Airflow task: who answered the request before it, else who triggered the run; else nobody."""
    if "airflow.sdk" not in sys.modules:
        return ()
    from airflow.sdk import get_current_context  # noqa: PLC0415

    try:
        context: Any = get_current_context()
    except RuntimeError:  # imported, but no task is running
        return ()
    ti = context["ti"]
    for task_id in sorted(ti.task.upstream_task_ids):
        answer = ti.xcom_pull(task_ids=task_id, map_indexes=ti.map_index)
        if isinstance(answer, Mapping) and "responded_by_user" in answer:
            user = answer["responded_by_user"]
            if user is None:
                raise UnknownUserError(f"Nobody answered {task_id}: its time ran out. Ask again.")
            return tuple(sorted({f"airflow:{user['id']}", f"airflow:{user['name']}"}))
    triggered_by = context["dag_run"].triggering_user_name
    return () if triggered_by in (None, BY_TERMINAL) else (f"airflow:{triggered_by}",)
