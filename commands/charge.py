"""``gridsettle charge``: the charge-code cards."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from commands.terminal import Json, Lang, Language, out, print_json

charge_app = typer.Typer(no_args_is_help=True, help="科目卡 / charge-code cards.")

Profile = Annotated[str | None, typer.Option("--profile", help="A rule profile; all without it.")]


@charge_app.command("list")
def charge_list(profile: Profile = None, as_json: Json = False, lang: Lang = Language.ZH) -> None:
    """科目清单 / every charge of a profile with its payers and account."""
    from jobs.charge_cards import settling_profiles
    from market.profiles import profile as packaged
    from reports.labels import KINDS

    using = settling_profiles() if profile is None else [packaged(profile)]
    rows = [(rules.name, charge) for rules in using for charge in rules.settled[1].charges]
    if as_json:
        print_json([{"profile": name, **charge.model_dump(mode="json")} for name, charge in rows])
        return
    index = 0 if lang == "zh" else 1
    table = Table("profile", "code", "科目" if lang == "zh" else "charge", "account", "payers", "key")
    for name, charge in rows:
        payers = ", ".join(KINDS[kind][index] for kind in charge.payers)
        table.add_row(
            name,
            charge.code,
            charge.name_zh if lang == "zh" else charge.name_en,
            charge.account,
            payers,
            charge.key,
        )
    out.print(table)


@charge_app.command("show")
def charge_show(code: str, profile: Profile = None, as_json: Json = False) -> None:
    """科目卡 / rule, formula, inputs, payers, account and a hand-worked example of one charge."""
    from rich.markdown import Markdown

    from jobs.charge_cards import charge_card
    from market.profiles import profile as packaged
    from reports.card_page import card_page

    view = charge_card(code, None if profile is None else [packaged(profile)])
    if as_json:
        charges = {name: charge.model_dump(mode="json") for name, charge in view.charges.items()}
        print_json({"card": view.card.model_dump(mode="json"), "charges": charges})
        return
    out.print(Markdown(card_page(view)))


@charge_app.command("pages")
def charge_pages(
    folder: Annotated[Path, typer.Option("--out", help="Folder of the generated pages.")] = Path(
        "docs/formulas"
    ),
) -> None:
    """生成页面 / write docs/formulas again from the cards and the profiles."""
    from jobs.charge_cards import write_pages

    for file in write_pages(folder):
        out.print(str(file))
