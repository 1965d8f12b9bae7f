"""The trades behind a line: energy, both revenues, provincial value, and the rows of the delivered files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from jobs.explain.run import RunData
from market.money import NANO_PER_YUAN, half_up, scaled
from reports.explanation import Day, SectionPart, Source, TradePart
from settlement.interprovincial import SettledTrade
from settlement.passthrough import CODE as GAIN_LOSS
from settlement.purchases import DIRECT, TRANSMISSION, sale_code

SALES = (sale_code("day_ahead"), sale_code("intraday"))
OF_TRADES = (*SALES, TRANSMISSION, DIRECT)
USER_PRICE = {"day_ahead": "day_ahead", "intraday": "real_time"}  # ruling 5


def trades_of(run: RunData, who: str, code: str, day: date | None, days: Sequence[Day]) -> dict[str, Any]:
    """The trades of a line, of one day or all; their sum must be the day. Raises NotExplainedError."""
    trades, exact = [], Fraction(0)
    rows = {one.key: one for one in run.files.records("trades", run.trade_records["trades"], "trade_id")}
    for settled in run.settled.trades:
        if day not in (None, settled.trade.day) or not _concerns(run, who, code, settled):
            continue
        amount = _amount(run, who, code, settled)
        exact += amount or 0
        trades.append(_part(run, who, code, settled, amount, rows[settled.trade.trade_id]))
    if day is not None and code in OF_TRADES:
        of_run = next((one.amount_cny for one in days if one.date == day), Decimal(0))
        again = half_up(exact * NANO_PER_YUAN)
        same = of_run is None or again == scaled(of_run, 9)
        run.agree(code, who, same, f"the trades of {day}", Decimal(again).scaleb(-9), of_run)
    return {"trades": tuple(trades), "sources": _sources(run, code, day, trades)}


def _concerns(run: RunData, who: str, code: str, settled: SettledTrade) -> bool:
    trade = settled.trade
    if code == GAIN_LOSS:
        return trade.buyer_id == run.roster.grid_company
    if code in SALES:
        return trade.seller_id == who and sale_code(trade.stage) == code
    if code == DIRECT:
        return trade.buyer_id == who
    if settled.sections is None:
        return (who, trade.day) in run.settled.unknown_owners
    return any(section.owner_id == who for section in settled.sections)


def _amount(run: RunData, who: str, code: str, settled: SettledTrade) -> Fraction | None:
    """The trade's exact part of the line; None for a share of a pool and where it is missing."""
    if code in SALES:
        return -settled.seller_cny
    if code == DIRECT:
        landed, worth = settled.landed_cny, run.purchases[settled.trade.trade_id]["reference_cny"]
        return None if landed is None or worth is None else landed - Fraction(worth)
    if code == GAIN_LOSS or settled.sections is None:
        return None
    return -sum((one.cny for one in settled.sections if one.owner_id == who), Fraction(0))


def _part(
    run: RunData, who: str, code: str, settled: SettledTrade, amount: Fraction | None, row: Source
) -> TradePart:
    trade, landed = settled.trade, settled.landed_price
    of_run = run.purchases[trade.trade_id]
    transmission = settled.transmission_cny
    seller, carried = _nine(settled.seller_cny), None if transmission is None else _nine(transmission)
    kept = (of_run["seller_cny"], of_run["transmission_cny"])
    run.agree(
        code, who, (seller, carried) == kept, f"the revenues of {trade.trade_id}", (seller, carried), kept
    )
    return TradePart(
        trade_id=trade.trade_id,
        date=trade.day,
        stage=trade.stage,
        period=trade.period,
        path_id=trade.path_id,
        seller_id=trade.seller_id,
        buyer_id=trade.buyer_id,
        sold_mwh=trade.executed_sell_mw / 4,
        bought_mwh=of_run["bought_mwh"],
        sell_price_cny_per_mwh=_six(settled.sell_price),
        landed_price_cny_per_mwh=None if landed is None else _six(landed),
        reference_price_cny_per_mwh=of_run["reference_price_cny_per_mwh"],
        seller_cny=seller,
        transmission_cny=carried,
        sections=tuple(
            SectionPart(one.section_id, one.owner_id, _nine(one.mwh), _nine(one.cny))
            for one in settled.sections or ()
        ),
        reference_cny=of_run["reference_cny"],
        gain_loss_cny=of_run["gain_loss_cny"],
        amount_cny=None if amount is None else _nine(amount),
        source=row,
    )


def _sources(run: RunData, code: str, day: date | None, trades: Sequence[TradePart]) -> tuple[Source, ...]:
    """Tariffs of the trades' paths; of one day also the provincial prices they are held against."""
    used = {section.section_id for trade in trades for section in trade.sections}
    sections = run.trade_records["sections"]
    found = run.files.records(
        "sections",
        sections[sections["section_id"].isin(used)],
        "section_id",
        ("tariff_cny_per_mwh", "loss_rate"),
    )
    if day is not None and code in (GAIN_LOSS, DIRECT):
        energy = run.energy(day)
        for stage in sorted({trade.stage for trade in trades}):
            found += energy.user_price_sources(USER_PRICE[stage], run.files)
    return tuple(found)


def _nine(value: Fraction) -> Decimal:
    return Decimal(half_up(value * NANO_PER_YUAN)).scaleb(-9)


def _six(value: Fraction) -> Decimal:
    return Decimal(half_up(value * 10**6)).scaleb(-6)
