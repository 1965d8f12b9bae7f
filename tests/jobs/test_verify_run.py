"""``run verify``: one changed byte anywhere is located and said in a sentence."""

from __future__ import annotations

import pytest
from life_cases import PEOPLE, finding_id, make_run
from sqlalchemy import text

from jobs import actor
from jobs import run_life as life
from jobs.verify_run import verify
from warehouse.audit_log import Anchor, entries
from warehouse.home import create, home, transaction
from warehouse.printed import log_print
from warehouse.run_log import life_anchor


@pytest.fixture
def at(tmp_path):
    made = home(tmp_path / "home")
    create(made)
    return made


@pytest.fixture
def published(at, monkeypatch, tmp_path):
    """A run with everything that can be changed: a waiver with evidence, approval, publication, a report."""
    run = make_run(at)
    scan = tmp_path / "scan.pdf"
    scan.write_bytes(b"signed by the customer")

    def as_(person):
        monkeypatch.setattr(actor, "current", lambda _home: PEOPLE[person])

    as_("li")
    life.waive(at, run.alias, finding_id(run, "missing_reading"), "agreed in writing", scan)
    life.sign_off(at, run.alias, "jinan")
    as_("liu")
    life.sign_off(at, run.alias, "yantai")
    as_("zhao")
    life.approve(at, run.alias)
    as_("sun")
    life.publish(at, run.alias)
    page = at.reports / run.run_id / "statements" / "month.html"
    page.parent.mkdir(parents=True)
    page.write_text("July", "utf-8")
    log_print(at, run, PEOPLE["sun"].signature, [page])
    assert verify(at, run) == []
    return run


def flip(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))


def test_a_changed_byte_of_each_file_of_the_run_is_named_by_its_file(at, published):
    for file in sorted(published.folder.iterdir()):
        whole = file.read_bytes()
        flip(file)
        (sentence,) = verify(at, published)
        assert sentence.startswith(f"{file.name} of run 2022-07 draft v1 was changed")
        file.write_bytes(whole)
    assert verify(at, published) == []


def test_every_byte_of_the_manifest_counts(at, published):
    file = published.folder / "manifest.json"
    whole = file.read_bytes()
    for place in range(0, len(whole), 37):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert "manifest.json of run 2022-07 draft v1 was changed" in verify(at, published)[0]


def test_a_file_that_is_gone_or_was_added_is_named(at, published):
    (published.folder / "more.parquet").write_bytes(b"")
    assert verify(at, published) == ["more.parquet in run 2022-07 draft v1 is not named by its manifest."]
    (published.folder / "more.parquet").unlink()
    (published.folder / "manifest.json").unlink()
    assert "manifest.json of run 2022-07 draft v1 is missing" in verify(at, published)[0]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("statements/month.html", "The report statements/month.html of 2022-07 draft v1 was changed"),
        ("printed.json", "The list of what was printed of 2022-07 draft v1"),
    ],
)
def test_a_changed_report_is_named(at, published, name, said):
    flip(at.reports / published.run_id / name)
    assert verify(at, published)[0].startswith(said)


def test_changed_evidence_is_named(at, published):
    flip(next(at.evidence.glob("*/scan.pdf")))
    assert verify(at, published)[0].startswith("Evidence scan.pdf was changed")


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE settlement_run SET status = 'blocked'", "The database says status = blocked"),
        ("UPDATE settlement_run SET version = 7", "The database says version = 7"),
        ("UPDATE settlement_run SET manifest_sha256 = 'x'", "The database names another manifest.json"),
        ("DELETE FROM current_run", "The run in force for 2022-07 is none in the database"),
        ("UPDATE current_run SET seq = 1", "The run in force for 2022-07 is"),
        ("UPDATE act_log SET person = 'zhao' WHERE seq = 2", "Entry 2 of the log of acts"),
        ("DELETE FROM act_log WHERE seq > 6", "The log of acts ends at entry 6, but entry 7 was anchored"),
        ("DELETE FROM act_log WHERE seq = 1", "The log of acts does not say who prepared"),
    ],
)
def test_a_changed_row_of_the_database_is_named(at, published, statement, said):
    with transaction(at) as connection:
        connection.execute(text("DROP TRIGGER act_log_no_update"))
        connection.execute(text("DROP TRIGGER act_log_no_delete"))
        connection.execute(text(statement))
    assert any(sentence.startswith(said) for sentence in verify(at, published))


def test_the_anchor_on_a_statement_finds_a_log_that_was_cut_with_its_anchors(at, published):
    printed = Anchor.parse(life_anchor(at, published))
    assert printed.seq == len(entries(at)) - 1  # the publication; printing came after
    with transaction(at) as connection:
        connection.execute(text("DROP TRIGGER act_log_no_delete"))
        connection.execute(text("DELETE FROM current_run"))
        connection.execute(text("DELETE FROM act_log WHERE seq > 4"))
    at.anchors.write_text("\n".join(at.anchors.read_text().splitlines()[:4]) + "\n")
    assert not any("cut off" in sentence for sentence in verify(at, published))
    assert any(
        f"entry {printed.seq} was anchored" in sentence for sentence in verify(at, published, [printed])
    )


@pytest.mark.parametrize("anchor", ["", "7", "0 " + "a" * 64, "x " + "a" * 64, "7 abc"])
def test_what_is_no_anchor_is_refused(anchor):
    with pytest.raises(ValueError, match="is not an anchor"):
        Anchor.parse(anchor)
