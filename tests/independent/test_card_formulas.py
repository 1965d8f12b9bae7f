"""Charge-code cards: every charge has one, its examples come out of its formula, its formula gives the sample's lines."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from card_formula import evaluate, exact
from month_books import Books, added, half_up
from recalculate import (
    import_reference,
    imported,
    interprovincial_sale,
    interprovincial_transmission,
    mismatch,
    total_fen,
    user_price,
)

from jobs.charge_cards import cards, charge_card, pages, settling_profiles, without_card
from market.cards import Card

ROOT = Path(__file__).resolve().parents[2]
SCENARIOS = ROOT / "tests" / "scenarios"
EXAMPLES = [(card, number) for card in cards().values() for number in range(len(card.examples))]
NANO_PER_FEN = 10**7

pytestmark = pytest.mark.xdist_group("settled_sample")


def fen_of_cny(amount: Any) -> int:
    return half_up(Fraction(amount) * 100)


def fen_of_nano(amount: Any) -> int:
    return half_up(Fraction(amount, NANO_PER_FEN))


@pytest.mark.parametrize("rules", settling_profiles(), ids=lambda rules: rules.name)
def test_a_profile_has_no_charge_without_a_card(rules) -> None:
    assert without_card(rules) == []


def test_a_charge_without_a_card_is_found_and_refused_by_name() -> None:
    rules = settling_profiles()[0]
    new = rules.matrix.charges[0].model_copy(update={"code": "tea_money"})
    matrix = rules.matrix.model_copy(update={"charges": (*rules.matrix.charges, new)})
    extended = rules.model_copy(update={"matrix": matrix})
    assert without_card(extended) == ["tea_money"]
    with pytest.raises(LookupError, match=r"tea_money\.yaml"):
        charge_card("tea_money", [extended])
    with pytest.raises(LookupError, match="energy_real_time"):
        charge_card("coffee_money")


@pytest.mark.parametrize("name", sorted(pages()))
def test_the_generated_page_is_what_the_card_and_the_profiles_say(name: str) -> None:
    file = ROOT / "docs" / "formulas" / name
    assert file.is_file(), "run `gridsettle charge pages`"
    assert file.read_text(encoding="utf-8") == pages()[name], "run `gridsettle charge pages`"


def test_predecessors_and_successors_name_each_other() -> None:
    for card in cards().values():
        for before in card.predecessors:
            assert card.code in cards()[before].successors
            assert cards()[before].valid_to == card.valid_from
        for after in card.successors:
            assert card.code in cards()[after].predecessors


@pytest.mark.parametrize(("card", "number"), EXAMPLES, ids=lambda part: getattr(part, "code", part))
def test_an_example_comes_out_of_the_formula_on_the_card(card: Card, number: int) -> None:
    example = card.examples[number]
    assert (SCENARIOS / example.scenario).is_dir()
    given = {name: exact(value, example.repeat) for name, value in example.given.items()}
    amount = evaluate(card.formula(example.of), given, fen_of_cny)
    fen = amount[example.participant_id] if isinstance(amount, dict) else fen_of_cny(amount)
    assert Decimal(fen).scaleb(-2) == example.amount_cny


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"formulas": [{"of": "users", "amount": "sum(Q_use * P_RT) + tip"}]}, "tip"),
        ({"formulas": [{"of": "users", "amount": "sum(Q_use * 2)"}]}, "every input a formula"),
        ({"formulas": [{"of": "others", "amount": "sum(Q_use * P_RT)"}]}, "examples are of"),
    ],
)
def test_a_card_whose_formula_and_inputs_do_not_fit_is_refused(change, sentence) -> None:
    plain = cards()["energy_real_time"].model_dump(mode="json")
    users = {
        "inputs": plain["inputs"][:2],
        "formulas": plain["formulas"][:1],
        "examples": plain["examples"][:1],
    }
    assert Card.model_validate({**plain, **users}).code == "energy_real_time"
    with pytest.raises(ValueError, match=sentence):
        Card.model_validate({**plain, **users, **change})


# --- The sample month: the same formulas on whole numbers, Wh and 0.001 yuan/MWh, so an amount is 1e-9 yuan ---------


@pytest.fixture(scope="module")
def lines(settled_sample) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    columns = ["participant_id", "charge_code", "amount_cny"]
    for row in pq.read_table(settled_sample.folder / "lines.parquet", columns=columns).to_pylist():
        found.setdefault(row["charge_code"], {})[row["participant_id"]] = int(row["amount_cny"] * 100)
    return found


def vector(values: Any) -> Any:
    return np.array(values, dtype=np.int64)


class Determinants:
    """What the symbols of the cards are in the sample month, read by hand."""

    def __init__(self, books: Books, lines: dict[str, dict[str, int]]) -> None:
        self.books, self.lines = books, lines
        self.P_RT, self.P_DA = (vector(user_price(books, stage)) for stage in ("real_time", "day_ahead"))
        self.E = {who: sum(use) for who, use in books.use.items()}

    def node(self, unit: str, stage: str) -> Any:
        return vector(self.books.price[self.books.node[unit], stage])

    def of(self, code: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """(side of the card, participant, symbols); one row with participant "" where the formula shares a pool."""
        yield from getattr(self, code)()

    def energy_real_time(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        for who, use in self.books.use.items():
            yield "users", who, {"Q_use": vector(use), "P_RT": self.P_RT}
        for unit, energy in self.books.generation.items():
            yield "generators", unit, {"Q_gen": vector(energy), "P_RT_node": self.node(unit, "real_time")}

    def energy_day_ahead(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        for who, energy in self.books.bought_day_ahead.items():
            yield "users", who, {"Q_DA": vector(energy), "P_DA": self.P_DA, "P_RT": self.P_RT}
        for unit, energy in self.books.sold_day_ahead.items():
            prices = {f"P_{short}_node": self.node(unit, stage) for short, stage in STAGES}
            yield "generators", unit, {"Q_DA_gen": vector(energy), **prices}

    def contract(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        for side in ("buyer", "seller"):
            for who in sorted({getattr(deal, side) for deal in self.books.contracts}):
                own = [deal for deal in self.books.contracts if getattr(deal, side) == who]
                yield (
                    f"{side}s",
                    who,
                    {
                        "Q_c": vector([energy for deal in own for energy in deal.energy]),
                        "P_c": vector([deal.price for deal in own for _ in deal.energy]),
                        "P_ref": np.tile(self.P_DA, len(own)),
                    },
                )

    def residents_energy(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        yield (
            "grid_company",
            self.books.grid_company,
            {
                "Q_res": vector(self.books.residents_use),
                "P_RT": self.P_RT,
            },
        )

    def loss(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        books = self.books
        yield (
            "grid_company",
            books.grid_company,
            {
                "G": vector(added(books.generation.values(), books.length)),
                "I": vector(imported(books, "day_ahead", "intraday")),
                "U": vector(added([*books.use.values(), books.residents_use], books.length)),
                "P_RT": self.P_RT,
            },
        )

    def month_adjustment(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        for who, beyond in self.books.beyond_days_of_party.items():
            paid = int(vector(self.books.use[who]) @ self.P_RT)
            yield "users", who, {"D": beyond, "P_own": Fraction(paid, self.E[who])}

    def month_adjustment_loss(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        adjusted = sum(self.lines["month_adjustment"].values()) * NANO_PER_FEN
        yield "grid_company", self.books.grid_company, {"M": adjusted}

    def position_mismatch(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        books = self.books
        yield (
            "users",
            "",
            {
                "D": vector(added(books.bought_day_ahead.values(), books.length)),
                "S": vector(added(books.sold_day_ahead.values(), books.length)),
                "I_DA": vector(imported(books, "day_ahead")),
                "P_DA": self.P_DA,
                "P_RT": self.P_RT,
                "E": self.E,
            },
        )

    def congestion(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        on_energy = ("energy_real_time", "energy_day_ahead", "residents_energy", "loss")
        remainder = sum(sum(self.lines[code].values()) for code in on_energy) - import_reference(self.books)
        yield (
            "users",
            "",
            {
                "R": remainder * NANO_PER_FEN,
                "M": mismatch(self.books) * NANO_PER_FEN,
                "E": self.E,
            },
        )

    def capacity_compensation(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        for who, use in self.books.use.items():
            yield "users", who, {"Q_use": vector(use), "P_cap": 99_100}
        paid = sum(fen for fen in self.lines["capacity_compensation"].values() if fen > 0)
        yield "generators", "", {"F": paid * NANO_PER_FEN, "C": self.books.capacity}

    def interprovincial_sale_day_ahead(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        yield from self._sales("day_ahead")

    def interprovincial_sale_intraday(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        yield from self._sales("intraday")

    def _sales(self, stage: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
        trades = [trade for trade in self.books.trades if trade.stage == stage]
        for who in sorted({trade.seller for trade in trades}):
            own = [trade for trade in trades if trade.seller == who]
            yield (
                "sellers",
                who,
                {
                    "Q_sell": np.array([trade.sold_wh for trade in own], dtype=object),
                    "P_sell": np.array([trade.price for trade in own], dtype=object),
                },
            )

    def interprovincial_transmission(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        carried: dict[str, list[tuple[Fraction, Fraction, Fraction]]] = {}
        for trade in self.books.trades:
            left = Fraction(1)
            for section in self.books.sections[trade.path]:
                left *= 1 - section.loss
                carried.setdefault(section.owner, []).append((trade.sold_wh, left, section.tariff))
        for owner, parts in carried.items():
            Q, k, T = (np.array(column, dtype=object) for column in zip(*parts, strict=True))
            yield "channel_owners", owner, {"Q_sell": Q, "k": k, "T": T}

    def interprovincial_gain_loss(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        landed = -total_fen(
            interprovincial_sale(self.books, "day_ahead"),
            interprovincial_sale(self.books, "intraday"),
            interprovincial_transmission(self.books),
        )
        yield (
            "payers",
            "",
            {
                "L": landed * NANO_PER_FEN,
                "V": import_reference(self.books) * NANO_PER_FEN,
                "E": self.books.agency_wh,
            },
        )


STAGES = (("DA", "day_ahead"), ("RT", "real_time"))
WITH_DETERMINANTS = sorted(name for name in vars(Determinants) if name in cards())


@pytest.mark.parametrize("code", WITH_DETERMINANTS)
def test_the_formula_on_the_card_gives_every_line_of_the_sample_month(code: str, books: Books, lines) -> None:
    found: dict[str, int] = {}
    for side, who, symbols in Determinants(books, lines).of(code):
        amount = evaluate(cards()[code].formula(side), symbols, fen_of_nano)
        found |= amount if isinstance(amount, dict) else {who: fen_of_nano(amount)}
    assert found == lines[code]


def test_every_line_of_the_first_layer_is_recomputed_from_the_cards(lines) -> None:
    """Demand response is worked by hand in its scenario, bills and fees are recomputed long-hand beside this."""
    consumers = {
        charge.code for charge in settling_profiles()[0].matrix.charges if charge.layer == "consumer"
    }
    left = set(lines) - set(WITH_DETERMINANTS) - consumers
    left -= {one.code for one in settling_profiles()[0].matrix.charges if one.fee is not None}
    left -= {"residents_cost_recovery", "residents_gain_loss"}  # these and fees: more_charges.py, by hand
    assert left == {"demand_response_payment", "demand_response_penalty", "demand_response_charge"}
