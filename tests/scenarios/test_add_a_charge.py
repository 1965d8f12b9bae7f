"""Adding a fee with its payers is data only: the page that says so is followed to the letter."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pandas as pd
import yaml

from ingest.deliver import deliver_many
from jobs.settle_month import settle
from market.periods import Month
from market.profiles import ChargeMatrix, profile
from warehouse.home import create, home

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "howto" / "add-a-charge.md"


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_the_fee_of_the_page_is_settled_from_its_data_alone(tmp_path: Path) -> None:
    (rows,) = (yaml.safe_load(block) for block in blocks("yaml"))
    delivered, expected = blocks("csv")
    base = profile("SD_2022")
    written = base.matrix.model_dump(mode="json")
    matrix = ChargeMatrix.model_validate(
        {**written, **{part: [*written[part], *rows[part]] for part in ("accounts", "charges")}}
    )
    extended = base.model_copy(update={"matrix": matrix, "name": "SD_2022_black_start", "sha256": "0" * 64})
    (tmp_path / "fee_pools.csv").write_text(delivered, encoding="utf-8")
    at = home(tmp_path / "home")
    create(at)
    deliver_many(at, [HERE / "base", tmp_path / "fee_pools.csv"])
    run = settle(at, Month(2022, 7), profile_name=extended).run
    lines = pd.read_parquet(run.folder / "lines.parquet")
    mine = lines[lines["charge_code"].str.startswith("black_start")]
    found = {(one.participant_id, one.charge_code): str(one.amount_cny) for one in mine.itertuples()}
    assert found == {
        (row["participant_id"], row["charge_code"]): row["amount_cny"]
        for row in csv.DictReader(expected.splitlines())
    }
    accounts = pd.read_parquet(run.folder / "accounts.parquet").set_index("account")
    assert accounts.loc["black_start", "closing_cny"] == 0
    assert run.status == "ready"
