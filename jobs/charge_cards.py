"""Charge-code cards: the packaged cards beside the profiles that use their charges, as pages and for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

import yaml

from market.cards import Card
from market.profiles import RuleProfile, profile, profile_names
from reports.card_page import CardView, card_page, index_page

CARDS = "reference/cards"
PAGES = Path("docs/formulas")
INDEX = "README.md"


@cache
def cards() -> dict[str, Card]:
    """Every packaged card by its code. Raises ValueError for a file that does not hold the card of its name."""
    found = {}
    for entry in sorted(files("data").joinpath(CARDS).iterdir(), key=lambda one: one.name):
        if not entry.name.endswith(".yaml"):
            continue
        card = Card.model_validate(yaml.safe_load(entry.read_text(encoding="utf-8")))
        if entry.name != f"{card.code}.yaml":
            raise ValueError(
                f"{CARDS}/{entry.name} holds the card of {card.code}; name the file after its code."
            )
        found[card.code] = card
    return found


def settling_profiles() -> list[RuleProfile]:
    """The packaged profiles that settle charges."""
    return [one for one in map(profile, profile_names()) if one.matrix is not None]


def without_card(rules: RuleProfile) -> list[str]:
    """Charges of a profile that have no card; a profile is complete when there are none."""
    return sorted({charge.code for charge in rules.settled[1].charges} - cards().keys())


def charge_card(code: str, profiles: Sequence[RuleProfile] | None = None) -> CardView:
    """A card with its charge in each profile that has it; LookupError names the charges there are."""
    using = settling_profiles() if profiles is None else list(profiles)
    of = {one.name: one.settled[1].charge(code) for one in using if _has(one, code)}
    if not of:
        known = sorted({charge.code for one in using for charge in one.settled[1].charges})
        raise LookupError(
            f"There is no charge {code!r} in {', '.join(one.name for one in using)}; there are {', '.join(known)}."
        )
    if code not in cards():
        raise LookupError(f"Charge {code} has no card; write data/{CARDS}/{code}.yaml, docs/howto shows how.")
    return CardView(cards()[code], of)


def pages() -> dict[str, str]:
    """File name -> text of every generated page of docs/formulas and of the index."""
    views = [charge_card(code) for one in settling_profiles() for code in _codes(one) if code in cards()]
    by_code = {view.card.code: view for view in views}
    made = {f"{code}.md": card_page(by_code[code]) for code in sorted(by_code)}
    return {**made, INDEX: index_page(list(by_code.values()))}


def write_pages(folder: Path = PAGES) -> list[Path]:
    """Write every page that differs from what stands in ``folder``; returns what was written."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in pages().items():
        file = folder / name
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")
            written.append(file)
    return written


def _has(rules: RuleProfile, code: str) -> bool:
    return code in _codes(rules)


def _codes(rules: RuleProfile) -> list[str]:
    return [charge.code for charge in rules.settled[1].charges]
