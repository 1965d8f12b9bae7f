"""A bridge is computed once; what is kept is what computing again gives, and a changed file is not believed."""

from __future__ import annotations

from unittest.mock import patch

from changed_books import JULY, revise

from jobs import bridge as module
from jobs.bridge import bridge
from jobs.settle_month import settle
from warehouse.home import Home

OLD, NEW = "2022-07 draft v1", "2022-07 draft v2"


def test_a_bridge_asked_for_again_is_the_one_that_was_computed(drafted: Home) -> None:
    revise(drafted, "meter_readings", {"12:00": "21"}, meter_id="M-W1", date="2022-07-12")
    revise(drafted, "prices", {"12:00": "700"}, node="SD_A", stage="real_time", date="2022-07-13")
    settle(drafted, JULY)
    computed = bridge(drafted, OLD, NEW)
    (file,) = drafted.bridges.iterdir()
    kept = file.read_bytes()

    with patch.object(module, "calculate_basis", side_effect=AssertionError("nothing is computed again")):
        again = bridge(drafted, OLD, NEW)
    assert again.as_json() == computed.as_json()
    assert again.reasons == computed.reasons
    assert {cause for row in again.rows for cause in row.parts} == {"reading", "price"}

    file.write_bytes(kept.replace(b"W1", b"W2", 1))  # somebody's hand
    assert bridge(drafted, OLD, NEW).rows == computed.rows
    assert file.read_bytes() == kept  # computed again, to the byte
