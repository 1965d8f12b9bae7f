"""People, and a small run with something to look at in two cities and in the province."""

from __future__ import annotations

from datetime import UTC, datetime

from jobs.actor import Actor, Role
from settlement.findings import Finding, Severity
from warehouse import run_tables, runs
from warehouse.run_log import finding_rows

PEOPLE = {
    person: Actor(person, name, f"os:{person}", frozenset(roles), frozenset(cities))
    for person, name, roles, cities in (
        ("wang", "王伟", [Role.PREPARER, Role.OPERATOR], []),
        ("li", "李娜", [Role.CHECKER], ["jinan", "province"]),
        ("liu", "刘洋", [Role.CHECKER], ["yantai"]),
        ("zhao", "赵敏", [Role.APPROVER], []),
        ("qian", "钱进", [Role.APPROVER], []),
        ("sun", "孙琪", [Role.PUBLISHER], []),
        ("zhou", "周岩", [Role.AUDITOR], []),
        ("wu", "吴迪", [Role.ANALYST], []),
        ("zheng", "郑好", [Role.TRADER], []),
        ("all", "全能", list(Role), ["*"]),
    )
}
FINDINGS = (
    Finding("missing_reading", Severity.BLOCK, "M1", "M1 has no reading on 3 July.", city="jinan"),
    Finding("odd_trade", Severity.REVIEW, "T1", "T1 looks odd.", city="yantai"),
    Finding("trades_cut", Severity.INFORM, "T2", "T2 was cut.", city="weifang"),
)


def make_run(
    at, findings=FINDINGS, *, kind="draft", version=1, person="wang", month="2022-07", missing=0, salt=""
):
    """Write a run whose only table is its findings; returns it."""

    def compute(folder, run_id):
        table = run_tables.findings_table(findings, run_id)
        rows = {"findings.parquet": run_tables.write_table(table, folder / "findings.parquet")}
        return {"rows": rows, "totals": {"missing_lines": missing}, "status": "ready"}

    inputs = (runs.InputFile(f"a/{version}{salt}.csv", f"{version}{salt}".rjust(64, "0"), 1),)
    identity = runs.RunIdentity(kind, month, "SD_2022", "0" * 64, inputs, None, "1")
    known = datetime(2022, 8, 5, tzinfo=UTC)
    return runs.write_run(at, identity, version, known, compute, PEOPLE[person].signature)


def finding_id(run, code):
    """The id of the finding with a code."""
    return next(row["finding_id"] for row in finding_rows(run) if row["code"] == code)
