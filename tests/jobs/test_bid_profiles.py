"""``bid check`` holds a bid against the rule profile it is asked for."""

from __future__ import annotations

import pytest

from jobs.bid_checks import check_bid


@pytest.mark.parametrize(
    ("profile", "price", "limits"),
    [
        ("IPSPOT_2022_TRIAL", 3001, None),
        ("IPSPOT_2022_TRIAL", 10_001, "0 to 10000"),
        ("IPSPOT_2026", 3000, None),
        ("IPSPOT_2026", 3001, "-80 to 3000"),
    ],
)
def test_the_limits_of_the_price_are_those_of_the_profile(
    sample_home, tmp_path, profile: str, price: int, limits: str | None
) -> None:
    file = tmp_path / "bid.csv"
    file.write_text(
        "node,date,stage,round,period,segment,mw,price_cny_per_mwh,version\n"
        f"SD,2022-07-22,day_ahead,1,80,1,1,{price},1\n"
    )
    said = [problem for problem in check_bid(sample_home, file, profile_name=profile) if "outside" in problem]
    assert [limits in problem for problem in said] == ([True] if limits else [])
