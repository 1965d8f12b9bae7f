"""What leaves the house: journals that balance, a notice, lines for the eyes of each, a pack for auditors.

July is final and approved; a late reading of W1 is corrected and approved into August.
"""

from __future__ import annotations

import csv
import hmac
import io
import shutil
import sqlite3
import zipfile
from collections import Counter
from decimal import Decimal

import pandas as pd
import pytest
from approvals import APPROVER, acting, approved
from changed_books import JULY, copied, differences_of, lines_of, revise
from openpyxl import load_workbook
from sqlalchemy import select, text

from jobs.access import NotAllowedError
from jobs.actor import Actor, Role
from jobs.bridge import bridge
from jobs.control_pack import write_control_pack
from jobs.correct_month import correct
from jobs.explain import explain
from jobs.export import export, secret
from jobs.journal import write_journal
from jobs.notice import write_notice
from jobs.restore_drill import drill
from jobs.verify_run import verify
from reports.journal import JournalNotBalancedError, balanced
from reports.masking import ANY_CITY, masked, pseudonym
from settlement.run_life import NotNowError
from warehouse import audit_log, runs
from warehouse.home import Home, engine, home, transaction
from warehouse.models import CurveFile

FINAL, CORRECTION = "2022-07 final v1", "2022-07 correction v1"


def role(what: Role, *, cities: tuple[str, ...] = (), own: tuple[str, ...] = ()) -> Actor:
    return Actor(
        f"a {what}", "某人", f"os:{what}", frozenset({what}), frozenset(cities), participants=frozenset(own)
    )


AUDITOR, ANALYST = role(Role.AUDITOR), role(Role.ANALYST)


@pytest.fixture(scope="module")
def at(_final, tmp_path_factory) -> Home:
    made = copied(_final, tmp_path_factory.mktemp("handed") / "home")
    approved(made, runs.find_run(made, FINAL))
    revise(made, "meter_readings", {"12:00": "21"}, meter_id="M-W1", date="2022-07-12")
    approved(made, correct(made, JULY).run)
    revise(made, "meters", {"multiplier": "1.01"}, meter_id="M-T1")
    return made


def table(path) -> list[dict[str, str]]:
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"))))


def sums(rows: list[dict[str, str]]) -> tuple[Decimal, Decimal]:
    return tuple(sum(Decimal(row[side] or 0) for row in rows) for side in ("Debit", "Credit"))  # type: ignore[return-value]


# --- Journal ---------------------------------------------------------------------------------------------------


def test_a_final_month_is_booked_by_ledger_account_and_balances(at: Home) -> None:
    made = write_journal(at, FINAL, lang="en")
    rows = table(made.csv)
    debit, credit = sums(rows)
    assert debit == credit > 0
    assert {row["Entry"] for row in rows} == {"actual"}
    w1 = next(row for row in rows if (row["Participant"], row["Charge"]) == ("W1", "energy_real_time"))
    assert (w1["Account"], w1["Subject code"], w1["Period"]) == ("112201", "0102020301", "2022-07")
    assert Decimal(w1["Debit"]) == lines_of(runs.find_run(at, FINAL))["W1", "energy_real_time"]
    book = load_workbook(made.workbook, data_only=True)
    assert (book.sheetnames, book["Journal"].max_row) == (["Journal", "By account"], len(rows) + 3)
    assert book["By account"].cell(book["By account"].max_row, 3).value == 0


def test_a_correction_books_its_differences_and_nothing_else(at: Home) -> None:
    rows = table(write_journal(at, CORRECTION, lang="en").csv)
    every = differences_of(runs.find_run(at, CORRECTION))
    assert len(rows) == sum(every["difference_cny"] != 0)
    assert {(row["Period"], row["Source month"], row["Entry"]) for row in rows} == {
        ("2022-08", "2022-07", "correction")
    }
    debit, credit = sums(rows)
    assert debit == credit == sum(amount for amount in every["difference_cny"] if amount > 0)


def test_a_journal_that_does_not_balance_is_not_written(at: Home) -> None:
    with pytest.raises(JournalNotBalancedError, match="debits exceed credits by"):
        balanced([one := next(iter(_entries(at))), one])


def _entries(at: Home):
    from jobs.journal import journal_entries

    return journal_entries(at, runs.find_run(at, FINAL))


def test_what_is_not_approved_is_not_booked(july_final: Home) -> None:
    with pytest.raises(NotNowError, match="2022-07 final v1 is not approved yet"):
        write_journal(july_final, FINAL)


# --- Notice ----------------------------------------------------------------------------------------------------


def test_the_notice_names_days_reasons_charges_publications_and_the_invoice_date(at: Home) -> None:
    html, markdown = write_notice(at, CORRECTION, lang="en")
    text = markdown.read_text("utf-8")
    for said in (
        "- Days: 2022-07-12",
        "- Run: 2022-07 final v1 → 2022-07 correction v1",
        "- State: approved",
        "- Published before: not published",
        "- Posted into: 2022-08",
        "- Invoice date: 2022-09-15",  # the tenth working day of September, after 中秋
        "| readings | ",
        "| 0102020301 | Real-time energy | energy_real_time | ",
    ):
        assert said in text, said
    lines = differences_of(runs.find_run(at, CORRECTION))
    total = lines.loc[lines["participant_id"].notna(), "difference_cny"].sum()
    assert f"| {total:,} |" in next(line for line in text.splitlines() if "| Total |" in line)
    page = html.read_text("utf-8")
    assert "http" not in page
    assert "0102020301" in page
    with pytest.raises(NotNowError, match="corrects nothing"):
        write_notice(at, FINAL)


# --- Who sees which rows -----------------------------------------------------------------------------------------


def test_a_participant_sees_its_own_lines_on_every_path_and_no_others(at: Home, tmp_path) -> None:
    with acting(role(Role.PARTICIPANT, own=("W1",))):
        (file,) = export(at, CORRECTION, into=tmp_path).files
        assert {row["participant_id"] for row in table(file)} == {"W1"}
        assert explain(at, FINAL, "W1", "contract").amount_cny is not None
        with pytest.raises(
            NotAllowedError, match=r"may not see R1: users\.yaml names W1 as the own participants"
        ):
            explain(at, FINAL, "R1", "contract")
        told = bridge(at, FINAL, CORRECTION)
        assert {row.participant_id for row in told.rows} == {"W1"}
        assert (told.changes, [step for step, *_ in told.waterfall()][:1]) == ((), ["reading"])
        for act in (write_journal, write_notice):
            with pytest.raises(NotAllowedError, match="may not do run"):
                act(at, CORRECTION)


def test_a_checker_sees_its_cities_and_an_analyst_no_lines_in_clear(at: Home, tmp_path) -> None:
    city = runs_city(at, "W1")
    with acting(role(Role.CHECKER, cities=(city,))):
        (file,) = export(at, FINAL, into=tmp_path).files
        assert {row["city"] for row in table(file)} == {city}
    with acting(ANALYST):
        with pytest.raises(NotAllowedError, match=r"may not do run\.export:"):
            export(at, FINAL)
        with pytest.raises(NotAllowedError, match=r"may not do run\.read_lines"):
            bridge(at, FINAL, CORRECTION)


def runs_city(at: Home, who: str) -> str:
    lines = pd.read_parquet(runs.find_run(at, FINAL).folder / "lines.parquet")
    return str(lines.loc[lines["participant_id"] == who, "city"].iloc[0])


# --- Masked ------------------------------------------------------------------------------------------------------


def crowd(groups: dict[tuple[str, str], int]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Lines and parties: so many users of a class and city, each with 10 MWh for 5,000."""
    parties = [
        {"participant_id": f"{kind}-{city}-{n}", "kind": kind, "tariff_class": "", "city": city}
        for (kind, city), count in groups.items()
        for n in range(count)
    ]
    energy = {
        "charge_code": "energy_real_time",
        "quantity_mwh": Decimal(10),
        "amount_cny": Decimal(5000),
        "quality": 1,
    }
    return pd.DataFrame(
        [{"participant_id": one["participant_id"], **energy} for one in parties]
    ), pd.DataFrame(parties)


def test_nobody_stands_in_a_group_of_fewer_than_five() -> None:
    lines, parties = crowd({("a", "jinan"): 7, ("a", "yantai"): 3, ("a", "weifang"): 2, ("b", "jinan"): 4})
    of = masked(lines, parties, b"key")
    shown = Counter((row["class"], row["city"]) for _, row in of.lines.iterrows())
    assert shown == {("a", "jinan"): 7, ("a", ANY_CITY): 5}  # two small cities together are five
    assert of.suppressed == 4
    assert of.groups["participants"].min() >= 5


def test_four_participants_that_remain_of_a_class_are_left_out() -> None:
    lines, parties = crowd({("a", "jinan"): 7, ("a", "yantai"): 4})
    of = masked(lines, parties, b"key")
    assert (len(of.lines), of.suppressed, set(of.lines["city"])) == (7, 4, {"jinan"})


def test_a_group_that_is_one_participant_shows_no_sum() -> None:
    lines, parties = crowd({("a", "jinan"): 6})
    lines.loc[0, "amount_cny"] = Decimal(500_000)
    assert masked(lines, parties, b"key").groups["amount_cny"].isna().all()


def test_who_has_the_export_and_every_id_but_not_the_secret_finds_nobody(at: Home, tmp_path) -> None:
    """The attacker hashes every id of the home every way that needs no secret, and reads every cell."""
    with acting(ANALYST):
        made = export(at, FINAL, masked_rows=True, into=tmp_path)
        again = export(at, CORRECTION, masked_rows=True, into=tmp_path)
    lines = pd.read_parquet(runs.find_run(at, FINAL).folder / "lines.parquet")
    ids = set(lines["participant_id"])
    text = "".join(file.read_text("utf-8-sig") for file in (*made.files, *again.files))
    shown = {row["pseudonym"] for file in (made.files[0], again.files[0]) for row in table(file)}
    assert not any(f",{who}," in text or text.startswith(f"{who},") for who in ids)
    guesses = {
        hmac.new(key, who.encode(), "sha256").hexdigest()[:16]
        for who in ids
        for key in (b"", b"gridsettle", b"0")
    }
    assert not shown & guesses
    assert shown <= {
        pseudonym(who, secret(at)) for who in ids
    }  # with the secret they are the same in every export
    assert made.suppressed == len(ids) - len({row["pseudonym"] for row in table(made.files[0])})


def test_the_secret_is_the_homes_own_and_nobody_elses_to_read(at: Home, tmp_path) -> None:
    assert secret(at) == secret(at) != secret(home(at.root / "runs"))
    (at.root / "runs" / "masking.key").chmod(0o644)
    with pytest.raises(ValueError, match="chmod 600"):
        secret(home(at.root / "runs"))
    (at.root / "runs" / "masking.key").unlink()


# --- The pack ----------------------------------------------------------------------------------------------------


def test_the_control_pack_answers_an_auditors_questions(at: Home, monkeypatch) -> None:
    def broken(*_args, **_more):
        raise RuntimeError("the disk is full")

    revise(at, "meter_readings", {"12:00": "23"}, meter_id="M-W1", date="2022-07-12")
    with monkeypatch.context() as patch:
        patch.setattr("jobs.correct_month.compute_correction", broken)
        with pytest.raises(RuntimeError):
            correct(at, JULY)
    copy = at.root.parent / "restored"
    shutil.copytree(at.root, copy, ignore=shutil.ignore_patterns("gridsettle.db*"))
    with sqlite3.connect(at.root / "gridsettle.db") as live, sqlite3.connect(copy / "gridsettle.db") as other:
        live.backup(other)
    assert drill(at, home(copy)).problems == ()
    with acting(AUDITOR):
        path = write_control_pack(at, JULY)
    with zipfile.ZipFile(path) as pack:
        sheets = {name: pack.read(name).decode("utf-8-sig") for name in pack.namelist()}
    rows = {
        name: list(csv.DictReader(io.StringIO(text)))
        for name, text in sheets.items()
        if name.endswith(".csv")
    }
    assert len(rows) == 12
    index = sheets["index.html"]
    assert "every stage of every run was another person" in index
    assert "is whole and ends as anchored" in index
    assert [(row["run"], row["approved"]) for row in rows["four_hands.csv"]] == [
        ("2022-07 correction v1", "zhao"), ("2022-07 draft v1", ""), ("2022-07 final v1", "zhao")
    ]  # fmt: skip
    (failed,) = rows["failed_runs.csv"]
    assert (failed["run"], failed["reason"]) == ("2022-07 correction v2", "RuntimeError: the disk is full")
    (changed,) = rows["master_data_changes.csv"]
    assert (changed["key"], changed["column"], changed["after"]) == ("M-T1/2022-01-01", "multiplier", "1.010")
    assert changed["approved_with"] == ""  # nothing rests on it yet
    (practised,) = rows["restore_drills.csv"]
    assert '"problems": 0' in practised["measured"]
    assert {row["profile"] for row in rows["rule_changes.csv"]} == {"SD_2022"}
    assert [row["act"] for row in rows["run_log.csv"]][:2] == ["run.prepare", "run.prepare"]
    assert "no run of this month was compared" in index
    with (
        acting(APPROVER),
        pytest.raises(NotAllowedError, match=r"control\.pack: that needs the role auditor"),
    ):
        write_control_pack(at, JULY)


def test_a_restored_home_that_was_changed_is_said_and_logged(at: Home, tmp_path) -> None:
    copy = copied(at, tmp_path / "restored")
    file = runs.find_run(copy, FINAL).folder / "lines.parquet"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    made = drill(at, copy)
    assert any("lines.parquet of run 2022-07 final v1 was changed" in one for one in made.problems)
    assert audit_log.entries(at, "home", ["restore.drill"])[-1].facts["problems"] == 1
    with pytest.raises(ValueError, match="is the home at work"):
        drill(at, at)


def test_one_changed_byte_of_what_a_run_rests_on_or_handed_out_is_located(at: Home) -> None:
    run = runs.find_run(at, CORRECTION)
    journal = write_journal(at, CORRECTION).csv
    reading = at.inbox / next(
        one["path"] for one in run.manifest["inputs"] if "meter_readings" in one["path"]
    )
    rules = at.rules / f"{run.manifest['profile_sha256']}.json"
    used = {one["sha256"] for one in run.manifest["inputs"]}
    with engine(at).connect() as connection:
        stored = connection.execute(select(CurveFile.path, CurveFile.delivery_id)).all()
    curve = next(at.curves / one.path for one in stored if one.delivery_id in used)
    assert verify(at, run, inputs=True) == []
    for file, said in (
        (journal, "report"),
        (reading, "an input of"),
        (rules, "The rules of"),
        (curve, "was computed from, was changed"),
    ):
        whole = file.read_bytes()
        file.write_bytes(whole[:-2] + bytes([whole[-2] ^ 1]) + whole[-1:])
        (sentence,) = verify(at, run, inputs=True)
        assert (said in sentence, file.name in sentence) == (True, True)
        file.write_bytes(whole)
    assert verify(at, run, inputs=True) == []


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            "UPDATE record_meters SET multiplier = multiplier + 1 WHERE meter_id = 'M-W1'",
            "The rows of meters on record",
        ),
        ("UPDATE curve_file SET sha256 = '0'", "The curve files on record"),
        ("DELETE FROM curve_file", "The curve files on record"),
    ],
)
def test_a_changed_row_that_a_run_rests_on_is_located(at: Home, tmp_path, statement, said) -> None:
    changed = copied(at, tmp_path / "home")
    run = runs.find_run(changed, FINAL)
    with transaction(changed) as connection:
        connection.execute(text(statement))
    problems = verify(changed, run, inputs=True)
    assert any(said in one and FINAL in one for one in problems)
    assert verify(changed, run) == []  # the run itself is as it was
