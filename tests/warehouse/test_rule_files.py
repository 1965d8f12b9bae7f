"""Rules of past runs: kept whole, and what cannot be read is said in a sentence."""

from __future__ import annotations

import json

import pytest

from market.profiles import profile
from warehouse.home import home
from warehouse.rule_files import RulesNotAtHandError, keep_rules, kept_rules


def test_rules_come_back_as_they_were_kept(tmp_path):
    at, rules = home(tmp_path), profile("SD_2022")
    keep_rules(at, rules)
    assert kept_rules(at, "SD_2022", rules.sha256) == rules


def test_rules_of_another_version_are_refused_with_the_fields_that_differ(tmp_path):
    at, rules = home(tmp_path), profile("SD_2022")
    keep_rules(at, rules)
    file = at.rules / f"{rules.sha256}.json"
    content = json.loads(file.read_text("utf-8"))
    del content["provincial"]["hour_weight"]
    file.write_text(json.dumps(content), "utf-8")
    with pytest.raises(
        RulesNotAtHandError, match=r"cannot read provincial\.hour_weight\. Install the version"
    ):
        kept_rules(at, "SD_2022", rules.sha256)
