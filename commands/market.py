"""``gridsettle paths`` and ``clear``: the inter-provincial market."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from commands.terminal import LABELS, Json, Lang, Language, err, out, print_json


def paths(
    buyer: Annotated[str, typer.Option(help="Node the power lands at.")] = "SD",
    seller_prices: Annotated[
        str, typer.Option(help="元/MWh, separated by commas.")
    ] = "0,100,200,300,500,1000",
    day: Annotated[
        str | None, typer.Option("--date", help="Figures in force on YYYY-MM-DD; the newest without it.")
    ] = None,
    route: Annotated[
        list[str] | None, typer.Option(help="Seller, channels and buyer, like NX,g20,SD; may be repeated.")
    ] = None,
    buyer_region: Annotated[bool, typer.Option(help="Charge the buyer's regional grid once.")] = True,
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="Write sections.csv and paths.csv of these paths there.")
    ] = None,
    as_json: Json = False,
    lang: Lang = Language.ZH,
) -> None:
    """路径 / landed prices over the paths to a province, and the document behind every number."""
    from jobs.paths import landed_table, prices_of, write_path_tables
    from market.channels import Route

    table = landed_table(
        buyer,
        seller_prices=prices_of(seller_prices),
        day=None if day is None else date.fromisoformat(day),
        routes=None if route is None else [Route.parse(text) for text in route],
        buyer_region_section=buyer_region,
    )
    if as_json:
        print_json(table.as_json())
    else:
        _print_landed(table, LABELS[lang])
    if out_folder is not None:
        if table.day is None:
            raise ValueError("The tables hold from a day on; say which with --date YYYY-MM-DD.")
        for file in write_path_tables(
            out_folder, [path.route for path in table.paths], table.day, buyer_region_section=buyer_region
        ):
            err.print(str(file), style="dim")


def _print_landed(landed: Any, words: Any) -> None:
    table = Table(
        words["path"], "coe1", "price_coe", *(f"{words['landed']} {p}" for p in landed.seller_prices)
    )
    for path in landed.paths:
        cost = path.cost
        prices = (f"{price:,.3f}" for price in path.landed(landed.seller_prices))
        table.add_row(path.route.path_id, f"{cost.coe:.6f}", f"{cost.price_cny_per_mwh:.4f}", *prices)
    out.print(table)
    figures = Table()
    for name in ("section", "name", "tariff", "loss", "document", "from", "remark"):
        figures.add_column(words[name], overflow="fold")
    for one in landed.sections():
        loss = f"{(one.figure.loss_rate or 0) * 100:.2f} %"
        figures.add_row(
            one.section.section_id,
            one.section.name,
            f"{one.figure.tariff_cny_per_mwh:f}",
            f"{loss} ({words['included']})" if one.figure.loss_included else loss,
            one.figure.document,
            str(one.figure.effective_from or ""),
            one.remark,
        )
    out.print(figures)
    for path_id, reason in landed.missing.items():
        out.print(f"{path_id}: {reason}", style="yellow")


def clear(
    offers: Annotated[Path, typer.Option(help="node, period, segment, mw, price_cny_per_mwh.")],
    bids: Annotated[Path, typer.Option(help="The same; the newest version of a node counts.")],
    paths: Annotated[Path, typer.Option(help="With tariff and loss, or the table paths with --sections.")],
    atc: Annotated[Path, typer.Option(help="96 columns, or section_id, period, mw at the seller node.")],
    out_folder: Annotated[Path, typer.Option("--out", help="Folder the results are written to.")],
    sections: Annotated[Path | None, typer.Option(help="The table sections, for tariffs by day.")] = None,
    system: Annotated[
        Path | None, typer.Option(help="The table system: who curtails and who lacks power.")
    ] = None,
    profile: str = "IPSPOT_2022_TRIAL",
    day: Annotated[str | None, typer.Option("--date", help="Session of YYYY-MM-DD.")] = None,
    stage: Annotated[str | None, typer.Option(help="day_ahead or intraday.")] = None,
    round_number: Annotated[int | None, typer.Option("--round", help="Intraday round.")] = None,
    as_json: Json = False,
    lang: Lang = Language.ZH,
) -> None:
    """出清 / clear an inter-provincial session from files."""
    from jobs.clear import clear_session
    from jobs.session_files import SessionName

    done = clear_session(
        offers,
        bids,
        paths,
        atc,
        out_folder,
        sections=sections,
        system=system,
        session=SessionName(None if day is None else date.fromisoformat(day), stage, round_number),
        profile=profile,
        lang=lang,
    )
    if as_json:
        print_json({**done.facts, "folder": str(done.folder), "page": str(done.page)})
        return
    for finding in done.findings.itertuples():
        out.print(f"{finding.severity}: {finding.sentence}", style="yellow")
    for line in done.summary(lang):
        out.print(line)
