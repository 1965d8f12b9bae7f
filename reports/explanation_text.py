"""An explanation in words and numbers for a terminal, Chinese or English."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from itertools import groupby
from typing import Any

from market.periods import label as clock
from reports.explanation import Explanation, Source, TradePart

ZH, EN = 0, 1

WORDS: Mapping[str, tuple[str, str]] = {
    "amount": ("金额", "Amount"),
    "quantity": ("电量", "energy"),
    "price": ("均价", "mean price"),
    "formula": ("算法", "Formula"),
    "clause": ("依据", "Clause"),
    "days": ("分日", "Days"),
    "exact": ("合计", "exact sum"),
    "rounded": ("四舍五入到分", "rounded once to the fen"),
    "quarters": ("分时", "Quarter-hours"),
    "trades": ("成交", "Trades"),
    "pool": ("分摊池", "Pool"),
    "share": ("份额", "Share"),
    "made_of": ("构成", "made of"),
    "sources": ("来源文件", "Files"),
    "line_of_file": ("第 {line} 行", "line {line}"),
    "missing": ("缺失", "missing"),
    "missing_because": ("金额缺失，原因", "The amount is missing because"),
    "largest_remainder": ("最大余数取整", "by largest remainder"),
    "day_ahead": ("日前", "day-ahead"),
    "intraday": ("日内", "intraday"),
    "sold": ("售电", "sold"),
    "transmission": ("输电", "transmission"),
    "landed": ("落地", "landed"),
    "reference": ("省内价值", "provincial value"),
    "gain_loss": ("损益", "gain or loss"),
    "trades_of_day": ("笔", "trades"),
    "sum": ("合计", "Sum"),
    "see_date": (
        "加 --date YYYY-MM-DD 看该日的分时、成交和来源文件行。",
        "Add --date YYYY-MM-DD for the day's quarter-hours, trades and rows of files.",
    ),
    "all": ("全体", "all payers"),
    "generators": ("发电侧", "generators"),
    "users": ("用户侧", "users"),
    "residual": ("无依据部分，按月电量", "what had no key, by monthly energy"),
    "generation": ("发电", "generation"),
    "import": ("省间购电", "import"),
    "use": ("用电", "use"),
    "yuan": ("元", "yuan"),
    "yuan_per_mwh": ("元/MWh", "yuan/MWh"),
}

FORMULAS: Mapping[str, tuple[str, str]] = {
    "energy_real_time": (
        "Σ 用电量 × 用户侧实时统一价；发电和储能为 −Σ 上网电量 × 节点实时价",
        "Σ use × real-time user price; a generator or storage −Σ delivery × real-time price of its node",
    ),
    "energy_day_ahead": (
        "Σ 日前电量 × (日前价 − 实时价)；发电和储能取节点价并反号",
        "Σ day-ahead position × (day-ahead − real-time price); a generator or storage at its node with the other sign",
    ),
    "contract": (
        "Σ 合约电量 × (合约价 − 参考价)，买方为正、卖方为负",
        "Σ contract energy × (contract − reference price), the buyer positive, the seller negative",
    ),
    "residents_energy": ("Σ 居民用电量 × 用户侧实时统一价", "Σ residents' use × real-time user price"),
    "loss": (
        "Σ (发电 + 省间购电 − 用电) × 用户侧实时统一价",
        "Σ (generation + import − use) × real-time user price",
    ),
    "capacity_compensation": (
        "用户: Σ 用电量 × 容量补偿价；机组和储能: 收取总额按容量分配",
        "users: Σ use × capacity price; units and storages: what was collected, by capacity",
    ),
    "congestion": (
        "电能量账户扣除省间购电价值和日前不平衡后的余额，按月用电量退给(或由)用户",
        "what remains of the energy account after the import's value and the mismatch, by monthly energy",
    ),
    "position_mismatch": (
        "−Σ (用户日前 − 发电日前 − 日前省间购电) × (日前价 − 实时价)，按月用电量",
        "−Σ (users' − generators' positions − day-ahead import) × (day-ahead − real-time price), by monthly energy",
    ),
    "interprovincial_sale_day_ahead": ("−Σ 执行电量 × 售方节点价", "−Σ executed energy × seller-node price"),
    "interprovincial_sale_intraday": ("−Σ 执行电量 × 售方节点价", "−Σ executed energy × seller-node price"),
    "interprovincial_transmission": (
        "−Σ 流出本断面电量 × 输电价",
        "−Σ energy that leaves the section × its tariff",
    ),
    "interprovincial_gain_loss": (
        "Σ (落地成本 − 购入电量 × 省内同时段价: 日前成交取日前价，日内取实时价)，按策略分摊",
        "Σ (landed cost − energy × provincial price: day-ahead for day-ahead trades, real-time for intraday), "
        "shared by the policy",
    ),
    "interprovincial_direct": (
        "本方成交的 Σ (落地成本 − 购入电量 × 省内同时段价)",
        "Σ of the buyer's own trades (landed cost − energy × provincial price)",
    ),
}


def explanation_lines(what: Explanation, lang: str) -> list[str]:
    """The explanation as lines of text, ``lang`` zh or en."""
    text = _Text(ZH if lang == "zh" else EN, what)
    return [
        *text.head(),
        *text.missing(),
        *text.shares(),
        *text.days(),
        *text.parts(),
        *text.trades(),
        *text.hint(),
        *text.sources(),
    ]


class _Text:
    """The paragraphs, in one language."""

    def __init__(self, language: int, what: Explanation) -> None:
        self._language, self._what = language, what

    def head(self) -> Iterable[str]:
        what = self._what
        yield f"{what.run_alias}  {what.participant_id} {what.participant_name}".rstrip()
        yield f"{self._name(what.charge_code)} ({what.charge_code})"
        yield f"{self._word('amount')} {self._yuan(what.amount_cny)}" + (
            ""
            if what.quantity_mwh is None
            else f", {self._word('quantity')} {_number(what.quantity_mwh)} MWh"
            + (
                ""
                if what.price_cny_per_mwh is None
                else f", {self._word('price')} {_number(what.price_cny_per_mwh)} {self._word('yuan_per_mwh')}"
            )
        )
        if what.charge_code in FORMULAS:
            yield f"{self._word('formula')}: {FORMULAS[what.charge_code][self._language]}"
        yield f"{self._word('clause')}: {what.clause}"

    def missing(self) -> Iterable[str]:
        if self._what.missing_because:
            yield f"{self._word('missing_because')}:"
            yield from (f"  {sentence}" for sentence in self._what.missing_because)

    def shares(self) -> Iterable[str]:
        pool = self._what.pool
        if pool is None:
            return
        yield ""
        yield f"{self._word('pool')} {self._yuan(pool.amount_cny)}" + (
            f", {self._word('made_of')}:" if pool.made_of else ""
        )
        yield from _columns([(self._name(code), _number(amount)) for code, amount in pool.made_of])
        for share in pool.shares:
            ratio = Decimal(0) if not share.total_key else share.key / share.total_key * 100
            yield (
                f"{self._word('share')} ({self._word(share.group)}): {_number(share.pool_cny)} × "
                f"{_number(share.key)} / {_number(share.total_key)} {share.unit} ({ratio:.6f} %) = "
                f"{share.exact_cny:,.6f} → {self._yuan(share.amount_cny)} ({self._word('largest_remainder')})"
            )

    def days(self) -> Iterable[str]:
        what = self._what
        if not what.days:
            return
        known = [day.amount_cny for day in what.days if day.amount_cny is not None]
        total = sum(known, Decimal(0)) if len(known) == len(what.days) else None
        yield ""
        yield (
            f"{self._word('days')}: {self._word('exact')} {self._yuan(total)}"
            + (
                ""
                if total is None or what.amount_cny is None
                else f" → {self._yuan(what.amount_cny)} ({self._word('rounded')})"
            )
        )
        shown = [day for day in what.days if what.day in (None, day.date)]
        yield from _columns(
            [
                (str(day.date), f"{self._number(day.quantity_mwh)} MWh", self._yuan(day.amount_cny))
                for day in shown
            ]
        )

    def parts(self) -> Iterable[str]:
        what = self._what
        if not what.parts:
            return
        yield ""
        yield f"{what.day} {self._word('quarters')}:"
        yield from _columns(
            [
                (
                    f"{clock(part.period)}{'  ' + part.subject if part.subject else ''}",
                    f"{self._number(part.quantity_mwh)} MWh",
                    f"× {self._number(part.price_cny_per_mwh)}",
                    f"= {self._number(part.amount_cny)}",
                    ", ".join(f"{self._word(name)} {_number(mwh)}" for name, mwh in part.made_of.items()),
                )
                for part in what.parts
            ]
        )

    def trades(self) -> Iterable[str]:
        what = self._what
        if not what.trades:
            return
        yield ""
        if what.day is None:
            yield f"{self._word('trades')}:"
            yield from self._trades_by_day()
            return
        yield f"{what.day} {self._word('trades')}:"
        for trade in what.trades:
            yield (
                f"  {trade.trade_id}  {self._word(trade.stage)} {clock(trade.period)}  {trade.path_id}  "
                + (f"{trade.seller_id} → {trade.buyer_id}")
            )
            yield (
                f"    {self._word('sold')} {_number(trade.sold_mwh)} MWh × {_number(trade.sell_price_cny_per_mwh)} = "
                f"{self._yuan(trade.seller_cny)}"
            )
            for section in trade.sections:
                yield (
                    f"    {self._word('transmission')} {section.section_id} ({section.owner_id}) "
                    f"{_number(section.quantity_mwh)} MWh = {self._yuan(section.amount_cny)}"
                )
            landed = None if trade.transmission_cny is None else trade.seller_cny + trade.transmission_cny
            yield (
                f"    {self._word('landed')} {_number(trade.bought_mwh)} MWh, "
                f"{self._number(trade.landed_price_cny_per_mwh)} {self._word('yuan_per_mwh')} = {self._yuan(landed)}; "
                f"{self._word('reference')} × {self._number(trade.reference_price_cny_per_mwh)} = "
                f"{self._yuan(trade.reference_cny)}; {self._word('gain_loss')} {self._yuan(trade.gain_loss_cny)}"
            )
            yield f"    {self._source(trade.source)}"

    def hint(self) -> Iterable[str]:
        what = self._what
        shares = () if what.pool is None else what.pool.shares
        keyed_by_energy = bool(shares) and all(share.unit == "MWh" for share in shares)
        if what.day is None and (what.days or what.trades or keyed_by_energy):
            yield ""
            yield self._word("see_date")

    def _trades_by_day(self) -> Iterable[str]:
        """A row a day and stage, then a row a stage; money to the fen."""
        trades = self._what.trades
        rows = []
        for (day, stage), of in _grouped(trades, lambda trade: (trade.date, trade.stage)):
            rows.append(self._trades_row(f"{day} {self._word(stage)}", of))
        for stage, of in _grouped(trades, lambda trade: trade.stage):
            rows.append(self._trades_row(f"{self._word('sum')} {self._word(stage)}", of))
        yield from _columns(rows)

    def _trades_row(self, name: str, of: Sequence[TradePart]) -> tuple[str, ...]:
        columns: dict[str, Sequence[Decimal | None]] = {
            "sold": [trade.seller_cny for trade in of],
            "transmission": [trade.transmission_cny for trade in of],
            "reference": [trade.reference_cny for trade in of],
            "gain_loss": [trade.gain_loss_cny for trade in of],
        }
        return (
            f"{name} {len(of)} {self._word('trades_of_day')}",
            f"{_number(sum((trade.bought_mwh for trade in of), Decimal(0)))} MWh",
            *(
                f"{self._word(column)} {self._yuan(_to_fen(_total(parts)))}"
                for column, parts in columns.items()
            ),
        )

    def sources(self) -> Iterable[str]:
        if not self._what.sources:
            return
        yield ""
        yield f"{self._word('sources')}:"
        yield from (f"  {self._source(source)}" for source in self._what.sources)

    def _source(self, source: Source) -> str:
        line = self._word("line_of_file").format(line=source.line)
        return f"{source.table}  {source.file}  {line}  {source.key}"

    def _word(self, name: str) -> str:
        return WORDS[name][self._language]

    def _name(self, code: str) -> str:
        names = self._what.names.get(code)
        return code if names is None else names[self._language]

    def _number(self, value: Decimal | None) -> str:
        return self._word("missing") if value is None else _number(value)

    def _yuan(self, value: Decimal | None) -> str:
        return self._word("missing") if value is None else f"{_number(value)} {self._word('yuan')}"


def _number(value: Decimal) -> str:
    """Thousands marked, no zeros that say nothing beyond two decimals."""
    text = f"{value:,f}"
    whole, _, decimals = text.partition(".")
    decimals = decimals.rstrip("0")
    return f"{whole}.{decimals.ljust(2, '0')}" if decimals else f"{whole}.00"


def _total(parts: Sequence[Decimal | None]) -> Decimal | None:
    known = [part for part in parts if part is not None]
    return sum(known, Decimal(0)) if len(known) == len(parts) else None


def _to_fen(value: Decimal | None) -> Decimal | None:
    return None if value is None else value.quantize(Decimal("0.01"), ROUND_HALF_UP)


def _grouped(
    trades: Iterable[TradePart], key: Callable[[TradePart], Any]
) -> Iterable[tuple[Any, list[TradePart]]]:
    for found, group in groupby(sorted(trades, key=key), key=key):
        yield found, list(group)


def _columns(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    """Rows under one another, the first column to the left, the others to the right."""
    if not rows:
        return
    widths = [max(_width(row[place]) for row in rows) for place in range(len(rows[0]))]
    for row in rows:
        first = row[0] + " " * (widths[0] - _width(row[0]))
        rest = [" " * (width - _width(cell)) + cell for width, cell in zip(widths[1:], row[1:], strict=True)]
        yield "  ".join(["", first, *rest]).rstrip()


def _width(text: str) -> int:
    """Columns on a terminal: a Chinese character takes two."""
    return sum(2 if ord(letter) >= 0x2E80 else 1 for letter in text)
