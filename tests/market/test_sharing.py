"""Terms of a shared fee: which kinds may share by which key (market.md B.3)."""

from __future__ import annotations

import pytest

from market.sharing import ShareTerm


@pytest.mark.parametrize(
    ("payers", "by"),
    [
        (("wholesale_user", "retailer", "vpp", "grid_company"), "use"),
        (("generator",), "generation"),
        (("generator",), "deviating_generation"),
        (("storage",), "discharge"),
        (("storage",), "throughput"),
    ],
)
def test_a_kind_shares_by_a_key_of_its_own_side(payers: tuple[str, ...], by: str) -> None:
    assert ShareTerm(payers=payers, by=by).payers == payers


@pytest.mark.parametrize(
    ("payers", "by", "sentence"),
    [
        (("storage",), "generation", "write storage in a term of its own, by discharge or throughput"),
        (("storage",), "use", "write storage in a term of its own"),
        (("generator", "storage"), "generation", "write generator in a term of its own"),
        (("generator",), "discharge", "write generator in a term of its own, by generation or"),
        (("generator", "vpp"), "generation", "write generator in a term of its own"),
        (("vpp",), "discharge", "users share by use"),
    ],
)
def test_another_key_is_refused_in_a_sentence_that_names_the_right_ones(
    payers: tuple[str, ...], by: str, sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        ShareTerm(payers=payers, by=by)
