"""内控证据包: one zip a month with which an auditor tests the controls (users.md §3, §9 row 25).

Read from the log of acts, the runs, the rules kept with them and the deliveries; nothing is typed in for it.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

from jobs import access, actor, posted
from jobs.access import Act
from jobs.basis import rules_of
from jobs.roster import valid_in
from jobs.verify_run import verify
from market.periods import Month
from reports.control_page import Sheet, control_index
from reports.lines_csv import BOM, inert
from settlement.run_life import MANUAL_ADJUSTMENT, STAGES
from warehouse import audit_log, runs
from warehouse.audit_log import Entry
from warehouse.file_hash import file_sha256
from warehouse.home import Home
from warehouse.records import changed_cells, read_records
from warehouse.run_log import run_standing
from warehouse.runs import FAILED, Run

EPOCH = (1980, 1, 1, 0, 0, 0)  # the same content gives the same bytes
MASTER = ("participants", "meters", "contracts", "sections", "paths", "packages", "tariffs")
CONFLICTS = (
    ("preparer", "approver"),
    ("preparer", "publisher"),
    ("approver", "publisher"),
    ("operator", "approver"),
)


def write_control_pack(home: Home, month: Month) -> Path:
    """Write ``control/control_<month>.zip`` and log it. Raises NotAllowedError, LookupError for a month without runs."""
    who = actor.current(home)
    access.require(who, Act.CONTROL_PACK)
    of = _Controls(home, month)
    if not of.runs:
        raise LookupError(f"There is no run of {month}, so there is nothing to show; settle the month first.")
    sheets = of.sheets()
    folder = home.root / "control"
    folder.mkdir(exist_ok=True)
    path = folder / f"control_{month}.zip"
    making = path.with_suffix(".making")
    with zipfile.ZipFile(making, "w", zipfile.ZIP_DEFLATED) as pack:
        pack.writestr(zipfile.ZipInfo("index.html", EPOCH), control_index(str(month), sheets, of.facts()))
        for sheet in sheets:
            pack.writestr(zipfile.ZipInfo(sheet.file, EPOCH), _csv(sheet))
    making.replace(path)
    with audit_log.recording(home) as log:
        log.append(who.signature, Act.CONTROL_PACK, str(month), "", evidence_sha256=file_sha256(path))
    return path


class _Controls:
    """What there is to show of a month."""

    def __init__(self, home: Home, month: Month) -> None:
        self.home, self.month = home, month
        self.runs = [run for run in runs.list_runs(home) if run.month == str(month)]
        self.log = audit_log.entries(home)
        ids = {run.run_id for run in self.runs}
        self.own = [
            entry for entry in self.log if entry.subject in ids or entry.facts.get("month") == str(month)
        ]

    def facts(self) -> list[tuple[str, str]]:
        end = self.log[-1] if self.log else None
        return [
            ("Month", str(self.month)),
            ("Runs", ", ".join(run.alias for run in self.runs)),
            ("End of the log (anchor)", f"{end.seq} {end.hash}" if end else "none"),
        ]

    def sheets(self) -> list[Sheet]:
        return [
            self._access_review(),
            self._role_conflicts(),
            self._hands(),
            self._rule_changes(),
            self._run_log(),
            self._runs(),
            self._failed(),
            self._reconciliations(),
            self._adjustments(),
            self._overrides(),
            self._drills(),
            self._master_data(),
        ]

    @cached_property
    def _people(self) -> dict[str, actor.Person]:
        return dict(actor.people(self.home).people)

    def _access_review(self) -> Sheet:
        acts = Counter(entry.person for entry in self.log)
        last = {entry.person: entry.at for entry in self.log}
        rows = [
            (
                who,
                one.name,
                " ".join(one.accounts),
                " ".join(sorted(one.roles)),
                " ".join(sorted(one.cities | one.participants)),
                acts[who],
                last.get(who, ""),
            )
            for who, one in sorted(self._people.items())
        ]
        gone = sorted(acts.keys() - self._people.keys())
        idle = [row[0] for row in rows if not row[5]]
        says = f"{len(rows)} people; {len(idle)} never acted ({', '.join(map(str, idle)) or 'none'})"
        says += f"; acted and no longer listed: {', '.join(gone)}" if gone else ""
        head = ("person", "name", "accounts", "roles", "cities_or_participants", "acts_ever", "last_act_utc")
        return Sheet("access_review.csv", "Who may do what, and who used it?", head, rows, says, bool(gone))

    def _role_conflicts(self) -> Sheet:
        rows = [
            (who, one.name, f"{first} + {second}")
            for who, one in sorted(self._people.items())
            for first, second in CONFLICTS
            if {first, second} <= {str(role) for role in one.roles}
        ]
        says = (
            f"{len(rows)} pairs of roles in one hand; on one run the program refuses them, see four_hands.csv"
            if rows
            else "nobody holds two roles that check each other"
        )
        question = "Who holds two roles that check each other?"
        return Sheet(
            "separation_of_duties.csv", question, ("person", "name", "roles"), rows, says, bool(rows)
        )

    def _hands(self) -> Sheet:
        rows, same = [], 0
        for run in self.runs:
            deeds = run_standing(self.home, run).deeds
            hands = {stage: sorted({d.person for d in deeds if d.deed in of}) for stage, of in STAGES.items()}
            people = [person for stage in hands.values() for person in stage]
            twice = sorted(person for person, count in Counter(people).items() if count > 1)
            same += len(twice)
            rows.append((run.alias, *(" ".join(hands[stage]) for stage in STAGES), " ".join(twice)))
        says = (
            f"{same} people did two stages of one run"
            if same
            else "every stage of every run was another person's"
        )
        head = ("run", *STAGES, "in_two_stages")
        return Sheet(
            "four_hands.csv", "Who prepared, checked, approved and published?", head, rows, says, bool(same)
        )

    def _rule_changes(self) -> Sheet:
        seen: dict[tuple[str, str], Run] = {}
        for run in runs.list_runs(self.home):
            if run.kind != "day":
                seen.setdefault((run.manifest["profile"], run.manifest["profile_sha256"]), run)
        mine = {run.manifest["profile_sha256"] for run in self.runs if run.kind != "day"}
        rows: list[tuple[object, ...]] = [
            (
                name,
                digest,
                run.alias,
                self._prepared(run),
                "",
                "",
                "in use this month" if digest in mine else "",
            )
            for (name, digest), run in seen.items()
        ]
        for (old_key, old), (new_key, new) in pairwise(seen.items()):
            if old_key[0] == new_key[0]:
                rows += [
                    (
                        new_key[0],
                        new_key[1],
                        new.alias,
                        self._prepared(new),
                        f"{where}: {before}",
                        f"{where}: {after}",
                        "changed",
                    )
                    for where, before, after in _different(
                        rules_of(self.home, old.manifest).model_dump(mode="json"),
                        rules_of(self.home, new.manifest).model_dump(mode="json"),
                    )
                ]
        changed = sum(row[-1] == "changed" for row in rows)
        head = ("profile", "sha256", "first_run", "prepared_by", "before", "after", "note")
        question = "By which rules was settled, and what changed in them?"
        return Sheet(
            "rule_changes.csv", question, head, rows, f"{len(seen)} sets of rules, {changed} values changed"
        )

    def _run_log(self) -> Sheet:
        damage = audit_log.damage(self.home)
        rows = [tuple(asdict(entry).values()) for entry in self.own]
        head = tuple(asdict(self.own[0])) if self.own else ("seq",)
        says = " ".join(damage) or f"the chain of all {len(self.log)} acts is whole and ends as anchored"
        return Sheet("run_log.csv", "What was done, by whom, when, why?", head, rows, says, bool(damage))

    def _runs(self) -> Sheet:
        rows, broken, waiting = [], 0, 0
        for run in self.runs:
            problems = [one for one in verify(self.home, run) if "log of acts" not in one]
            state = posted.state(self.home, run)
            broken += bool(problems)
            waiting += run.status == "blocked"
            into = run.manifest.get("posted_into") or ""
            rows.append(
                (
                    run.alias,
                    run.run_id,
                    run.status,
                    state,
                    into,
                    run.fingerprint,
                    " ".join(problems) or "whole",
                )
            )
        says = f"{len(rows)} runs, {broken} damaged, {waiting} with blocking findings"
        head = ("run", "run_id", "status", "state", "posted_into", "fingerprint", "verified")
        return Sheet(
            "runs.csv", "Which versions are there, and are they as written?", head, rows, says, bool(broken)
        )

    def _failed(self) -> Sheet:
        rows = [(e.at, e.person, e.facts.get("alias", ""), e.reason) for e in self.own if e.act == FAILED]
        question = "Which computations failed, and of what?"
        says = f"{len(rows)} computations failed; nothing of them is visible"
        return Sheet("failed_runs.csv", question, ("at_utc", "person", "run", "reason"), rows, says)

    def _reconciliations(self) -> Sheet:
        rows = [_act(entry) for entry in self.own if entry.act == Act.RECONCILE]
        says = f"{len(rows)} comparisons; what they found is worked and signed with the run's queues"
        says = says if rows else "no run of this month was compared"
        question = "Who compared our lines with the received 结算依据?"
        return Sheet("reconciliations.csv", question, ACT_HEAD, rows, says, not rows)

    def _adjustments(self) -> Sheet:
        known = valid_in(read_records(self.home, "manual_adjustments"), self.month)
        approved = {
            (run.run_id, done.finding_id): done
            for run in self.runs
            for done in run_standing(self.home, run).closed.values()
        }
        by_subject: dict[str, list[str]] = {}
        for run in self.runs:
            for one in run_standing(self.home, run).exceptions.values():
                done = approved.get((run.run_id, one.finding_id))
                if one.code == MANUAL_ADJUSTMENT:
                    said = f"{run.alias}: {done.person}, {done.reason}" if done else f"{run.alias}: open"
                    by_subject.setdefault(one.named_approver or "", []).append(said)
        names = [name for name in known.columns if name not in ("delivery_id", "line")]
        rows = [
            (*(getattr(row, name) for name in names), " | ".join(by_subject.get(row.approver, ())))
            for row in known.itertuples()
        ]
        total = sum(abs(row.amount_cny) for row in known.itertuples())
        says = f"{len(rows)} adjustments by hand, {total} yuan" if rows else "nothing was adjusted by hand"
        head = (*names, "approvals_by_the_named_person")
        return Sheet("manual_adjustments.csv", "What was adjusted by hand, why, by whom?", head, rows, says)

    def _overrides(self) -> Sheet:
        days = str(self.month)
        rows = [
            _act(entry)
            for entry in self.log
            if entry.act in (Act.BID_OVERRIDE, Act.BID_APPROVE) and days in entry.subject
        ]
        made = sum(row[2] == Act.BID_OVERRIDE for row in rows)
        question = "Which bids were made by hand, and who approved them?"
        return Sheet("bid_overrides.csv", question, ACT_HEAD, rows, f"{made} bids overridden")

    def _drills(self) -> Sheet:
        rows = [(*_act(entry), json.dumps(entry.facts)) for entry in self.log if entry.act == Act.DRILL]
        says = f"last drill {rows[-1][0]}" if rows else "no restore drill is on record"
        question = "Was a backup restored and verified?"
        return Sheet("restore_drills.csv", question, (*ACT_HEAD, "measured"), rows, says, not rows)

    def _master_data(self) -> Sheet:
        rests = {
            run.run_id: {entry["sha256"] for entry in run.manifest["inputs"]}
            for run in self.runs
            if run.kind != "day"
        }
        rows = [
            (
                table,
                one.key,
                one.column,
                one.before,
                one.after,
                one.row.get("valid_from"),
                one.row.get("valid_to"),
                one.file_name,
                one.sender,
                one.recorded_at.isoformat(),
                " ".join(self._approvers(one.delivery_id, rests)),
            )
            for table in MASTER
            for one in changed_cells(self.home, table)
            if self._in_month(one.row)
        ]
        head = ("table", "key", "column", "before", "after", "valid_from", "valid_to", "file", "sender")
        question = "Which meters, participants, contracts, sections changed, from when, by whose file?"
        head = (*head, "recorded_at", "approved_with")
        return Sheet(
            "master_data_changes.csv",
            question,
            head,
            rows,
            f"{len(rows)} cells revised after they first came",
        )

    def _in_month(self, row: Mapping[str, Any]) -> bool:
        begins, ends = row.get("valid_from"), row.get("valid_to")
        return (begins is None or begins < self.month.after) and (ends is None or ends > self.month.first)

    def _approvers(self, delivery_id: str, rests: dict[str, set[str]]) -> Iterator[str]:
        for run in self.runs:
            approval = (
                run_standing(self.home, run).by(APPROVE) if delivery_id in rests.get(run.run_id, ()) else None
            )
            if approval is not None:
                yield f"{run.alias}: {approval.person}"

    def _prepared(self, run: Run) -> str:
        done = run_standing(self.home, run).by(PREPARE)
        return done.person if done else ""


ACT_HEAD = ("at_utc", "person", "act", "subject", "reason", "evidence_sha256")
(PREPARE,) = STAGES["prepared"]
APPROVE = next(deed for deed in STAGES["approved"] if deed == Act.APPROVE)


def _act(entry: Entry) -> tuple[Any, ...]:
    return (entry.at, entry.person, entry.act, entry.subject, entry.reason, entry.evidence_sha256 or "")


def _different(old: Any, new: Any, where: str = "") -> Iterator[tuple[str, str, str]]:
    """Every value that differs, with its place; the hash itself apart."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted(old.keys() | new.keys()):
            if name != "sha256":
                yield from _different(old.get(name), new.get(name), f"{where}.{name}".lstrip("."))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from _different(before, after, f"{where}[{number}]")
    elif old != new:
        yield where, json.dumps(old, ensure_ascii=False), json.dumps(new, ensure_ascii=False)


def _csv(sheet: Sheet) -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(sheet.head)
    writer.writerows([_cell(value) for value in row] for row in sheet.rows)
    return BOM + out.getvalue()


def _cell(value: object) -> object:
    if value is None:
        return ""
    return inert(value) if isinstance(value, str) else value
