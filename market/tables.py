"""The input tables (architecture §3, rulings 11-12): columns, keys, units, code lists.

Ingestion checks files against these, the warehouse stores by them, the documents print them.
A decimal column is stored as a whole number of 10**-decimals of its unit. A curve table has one row per
key and date with 96 values; its values are whole numbers of 10**-curve_decimals of ``curve_unit``.
New columns go at the end and are optional.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """How a cell reads: ISO dates, YYYY-MM months, ISO instants with offset, 0/1 flags, exact decimals."""

    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    DATE = "date"
    MONTH = "month"
    INSTANT = "instant"
    FLAG = "flag"


@dataclass(frozen=True)
class Column:
    """One column. ``references`` names the table whose first key column must hold the value."""

    name: str
    kind: Kind = Kind.TEXT
    decimals: int = 0
    required: bool = True
    codes: tuple[str, ...] = ()
    references: str | None = None


@dataclass(frozen=True)
class Table:
    """One input table; ``key`` names the columns (with ``date`` for curves) that identify a row.

    curve_codes: the 96 cells of a row hold these words, stored as their place in the tuple.
    """

    name: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    curve_unit: str | None = None
    curve_decimals: int = 0
    city_by: str | None = None
    curve_codes: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = field(default=())

    @property
    def is_curve(self) -> bool:
        """True for tables with 96 values a row, kept as Parquet; the others are database records."""
        return self.curve_unit is not None

    def column(self, name: str) -> Column:
        """The column of that name; KeyError when the table has none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"Table {self.name} has no column {name}.")


class ParticipantKind(StrEnum):
    """Who takes part (architecture §3, ruling 4)."""

    WHOLESALE_USER = "wholesale_user"
    RETAILER = "retailer"
    RETAIL_USER = "retail_user"
    AGENCY_USER = "agency_user"
    RESIDENTS = "residents"
    GENERATOR = "generator"
    STORAGE = "storage"
    VPP = "vpp"
    GRID_COMPANY = "grid_company"
    CHANNEL_OWNER = "channel_owner"
    FUND = "fund"
    OUTSIDE = "outside"


class Quality(StrEnum):
    """Where a reading comes from."""

    MEASURED = "measured"
    ESTIMATED = "estimated"
    SUBSTITUTED = "substituted"
    MISSING = "missing"


QUALITIES = tuple(Quality)  # their places are the stored codes of meter_quality
FLOWS = ("forward", "reverse")  # 正向, 反向: taken from and delivered into the grid
RATES = ("total", "sharp", "peak", "flat", "valley", "deep_valley")  # 总, 尖, 峰, 平, 谷, 深谷
DIGITS = tuple(str(number) for number in range(3, 13))
STAGES = ("day_ahead", "intraday")
DIRECTIONS = ("cut", "fill")
ENERGY_SHARES = ("nonmarket", "mechanism")  # 优先发电 of a generator, 机制电量 of a user (market.md B.2, B.4)
PRICE_UNITS = ("per_kw_event", "per_kwh")
APPEAL_OUTCOMES = ("upheld", "dismissed")
EXCLUSION_CAUSES = ("orderly_use", "outage")
VOLTAGE_BANDS = ("below_1kv", "1_to_35kv", "35_to_110kv", "110_to_220kv", "from_220kv")
PRICE_COMPONENTS = (
    "agency_purchase",
    "history_deviation",
    "capacity_compensation",
    "line_loss",
    "transmission",
    "pumped_storage",
    "coal_capacity",
    "mechanism_difference",
    "cross_subsidy",
    "residual_priority",
    "other_system_operation",
    "fund",
    "fund_rural_grid",
    "fund_reservoir",
    "fund_renewable",
    "catalogue",
    "retail_reference",
)
TARIFF_COMPONENTS = (*PRICE_COMPONENTS, "basic_demand", "basic_capacity")
TARIFF_UNITS = ("cny_per_kwh", "cny_per_kw_month", "cny_per_kva_month")
PACKAGE_KINDS = ("fixed", "spot_linked", "mixed", "reference_linked")
BASIC_FEES = ("demand", "capacity")
PARTICIPANT_KEYS = ("city", "node", "voltage_kv", "capacity_kva", "tariff_class", "retailer_id")
SIDES = ("seller", "buyer")


def _text(name: str, references: str | None = None, required: bool = True) -> Column:
    return Column(name, references=references, required=required)


def _code(name: str, codes: tuple[str, ...], required: bool = True) -> Column:
    return Column(name, codes=codes, required=required)


def _decimal(name: str, decimals: int, required: bool = True) -> Column:
    return Column(name, Kind.DECIMAL, decimals, required)


def _integer(name: str, required: bool = True) -> Column:
    return Column(name, Kind.INTEGER, required=required)


def _validity() -> tuple[Column, Column]:
    return Column("valid_from", Kind.DATE), Column("valid_to", Kind.DATE, required=False)


_DATE = Column("date", Kind.DATE)

_ALL = (
    Table(
        "participants",
        ("participant_id", "valid_from"),
        (
            _text("participant_id"),
            _text("name"),
            _code("kind", tuple(ParticipantKind)),
            _text("city", required=False),
            _text("node", required=False),
            _decimal("voltage_kv", 3, required=False),
            _decimal("capacity_kva", 3, required=False),
            _text("tariff_class", required=False),
            _text("retailer_id", required=False),
            *_validity(),
            _code("basic_fee", BASIC_FEES, required=False),
            _decimal("power_factor_standard", 2, required=False),
        ),
    ),
    Table(
        "meters",
        ("meter_id", "valid_from"),
        (
            _text("meter_id"),
            _text("participant_id", references="participants"),
            _decimal("multiplier", 3),
            Column("direction", Kind.INTEGER, codes=("1", "-1")),
            *_validity(),
            _text("main_meter_id", required=False),  # 总表: the meter behind which this one stands
        ),
        depends_on=("participants",),
    ),
    Table(
        "meter_readings",
        ("meter_id", "date"),
        (_text("meter_id", references="meters"), _DATE, _code("quality", tuple(Quality))),
        curve_unit="kWh",
        curve_decimals=6,
        city_by="meter_id",
        depends_on=("participants", "meters"),
    ),
    Table(
        "contracts",
        ("contract_id",),
        (
            _text("contract_id"),
            _text("seller_id", references="participants"),
            _text("buyer_id", references="participants"),
            _decimal("price_cny_per_mwh", 3),
            *_validity(),
        ),
        depends_on=("participants",),
    ),
    Table(
        "contract_curves",
        ("contract_id", "date"),
        (_text("contract_id", references="contracts"), _DATE),
        curve_unit="MWh",
        curve_decimals=6,
        depends_on=("contracts",),
    ),
    Table(
        "contract_bands",  # 合同偏差带: by how many MW, and at what price, the buyer may leave the contract's curve
        ("band_id", "valid_from"),
        (
            _text("band_id"),
            _text("contract_id", references="contracts"),
            _integer("first_period"),
            _integer("last_period"),
            _decimal("up_mw", 3),
            _decimal("up_price_cny_per_mwh", 3, required=False),  # the buyer pays for a MWh more, at its node
            _decimal("down_mw", 3),
            _decimal(
                "down_price_cny_per_mwh", 3, required=False
            ),  # for a MWh less; negative: it gets that back
            *_validity(),
        ),
        depends_on=("contracts",),
    ),
    Table(
        "contract_records",  # what each side registered for a month: contract energy and price
        ("contract_id", "side", "month"),
        (
            _text("contract_id", references="contracts"),
            _code("side", SIDES),
            Column("month", Kind.MONTH),
            _decimal("energy_mwh", 6),
            _decimal("price_cny_per_mwh", 3),
        ),
        depends_on=("contracts",),
    ),
    Table(
        "meter_quality",  # where a quarter-hour has a code, it stands before the quality of the reading's row
        ("meter_id", "date"),
        (_text("meter_id", references="meters"), _DATE),
        curve_unit="quality",
        city_by="meter_id",
        depends_on=("participants", "meters", "meter_readings"),
        curve_codes=QUALITIES,
    ),
    Table(
        "registers",  # 示数: what the counter showed at 00:00 of valid_from and of valid_to, before the multiplier
        ("meter_id", "flow", "rate", "valid_from"),
        (
            _text("meter_id", references="meters"),
            _code("flow", FLOWS),
            _code("rate", RATES),
            Column("valid_from", Kind.DATE),
            Column("valid_to", Kind.DATE),
            _decimal("start_kwh", 6),
            _decimal("end_kwh", 6),
            Column(
                "digits", Kind.INTEGER, codes=DIGITS
            ),  # whole digits of the counter: it rolls over at 10**digits kWh
            _decimal("multiplier", 3, required=False),  # the sender's, to compare with meters
        ),
        depends_on=("participants", "meters"),
    ),
    Table(
        "reactive_readings",
        ("meter_id", "flow", "date"),
        (
            _text("meter_id", references="meters"),
            _code("flow", ("lagging", "leading")),  # 感性, 容性
            _DATE,
            _code("quality", tuple(Quality)),
        ),
        curve_unit="kvarh",  # before the multiplier, as meter_readings
        curve_decimals=6,
        city_by="meter_id",
        depends_on=("participants", "meters"),
    ),
    Table(
        "maximum_demand",  # 最大需量: the highest 15-minute mean of the month, before the multiplier
        ("meter_id", "month"),
        (
            _text("meter_id", references="meters"),
            Column("month", Kind.MONTH),
            _decimal("demand_kw", 6),
            Column("reached_at", Kind.INSTANT, required=False),
        ),
        depends_on=("participants", "meters"),
    ),
    Table(
        "positions",
        ("participant_id", "date", "stage"),
        (_text("participant_id", references="participants"), _DATE, _code("stage", STAGES)),
        curve_unit="MWh",
        curve_decimals=6,
        city_by="participant_id",
        depends_on=("participants",),
    ),
    Table(
        "prices",
        ("node", "stage", "date"),
        (_text("node"), _code("stage", ("day_ahead", "real_time")), _DATE),
        curve_unit="元/MWh",
        curve_decimals=3,
    ),
    Table(
        "system",
        ("series", "node", "date"),
        (_text("series"), _text("node"), _DATE),
        curve_unit="MW or 元/MWh",
        curve_decimals=3,
    ),
    Table(
        "sections",
        ("section_id", "valid_from"),
        (
            _text("section_id"),
            _text("name"),
            _decimal("tariff_cny_per_mwh", 3),
            _decimal("loss_rate", 8),
            Column("loss_included", Kind.FLAG),
            _decimal("capacity_mw", 3, required=False),
            _text("source"),
            *_validity(),
            _text("owner_id", references="participants", required=False),
            Column("source_effective_from", Kind.DATE, required=False),
        ),
        depends_on=("participants",),
    ),
    Table(
        "paths",
        ("path_id", "seq"),
        (
            _text("path_id"),
            _integer("seq"),
            _text("section_id", references="sections"),
            _text("seller_node"),
            _text("buyer_node"),
        ),
        depends_on=("sections",),
    ),
    Table(
        "import_limits",  # 受电能力: most that may flow into a province over all lines together, schedules included
        ("node", "valid_from"),
        (_text("node"), _decimal("limit_mw", 3), _text("source"), *_validity()),
    ),
    Table(
        "atc",
        ("section_id", "date", "stage"),
        (_text("section_id", references="sections"), _DATE, _code("stage", STAGES)),
        curve_unit="MW",
        curve_decimals=3,
        depends_on=("sections",),
    ),
    Table(
        "offers",
        ("node", "date", "stage", "round", "period", "segment"),
        (
            _text("node"),
            _DATE,
            _code("stage", STAGES),
            _integer("round"),
            _integer("period"),
            _integer("segment"),
            _decimal("mw", 6),
            _decimal("price_cny_per_mwh", 3),
        ),
    ),
    Table(
        "bids",
        ("node", "date", "stage", "round", "period", "segment", "version"),
        (
            _text("node"),
            _DATE,
            _code("stage", STAGES),
            _integer("round"),
            _integer("period"),
            _integer("segment"),
            _decimal("mw", 6),
            _decimal("price_cny_per_mwh", 3),
            _integer("version"),
            Column("submitted_at", Kind.INSTANT),
        ),
    ),
    Table(
        "trades",
        ("trade_id",),
        (
            _text("trade_id"),
            _DATE,
            _code("stage", STAGES),
            _integer("round"),
            _integer("period"),
            _text("path_id", references="paths"),
            _text("seller_node"),
            _text("buyer_node"),
            _text("seller_id", references="participants"),
            _text("buyer_id", references="participants"),
            _decimal("sell_mw", 6),
            _decimal("buy_mw", 6),
            _decimal("sell_price", 3),
            _decimal("landed_price", 3),
            _decimal("executed_sell_mw", 6),
            _decimal("executed_buy_mw", 6),
        ),
        depends_on=("participants", "paths"),
    ),
    Table(
        "dr_programs",
        ("program_id", "valid_from"),
        (
            _text("program_id"),
            _code("kind", ("emergency", "economic")),
            _code("product", ("agreed", "day_ahead", "intraday", "real_time")),
            _code("direction", DIRECTIONS),
            _decimal("price_cny", 6),
            _code("price_unit", PRICE_UNITS),
            _integer("notice_minutes"),
            _integer("minimum_minutes"),
            _decimal("floor", 6),
            _decimal("cap", 6),
            _code("test", ("average", "max_and_average")),
            _integer("maximum_minutes", required=False),
            _decimal("penalty_share", 6, required=False),
            _decimal("penalty_factor", 6, required=False),
            *_validity(),
            _text("source"),
            _decimal("penalty_price_cny_per_kwh", 6, required=False),
            _decimal("capacity_price_cny_per_kw_month", 6, required=False),
            _text("fund_id", references="participants", required=False),
        ),
        depends_on=("participants",),
    ),
    Table(
        "dr_events",
        ("event_id",),
        (
            _text("event_id"),
            _text("program_id", references="dr_programs"),
            _DATE,
            _integer("first_period"),
            _integer("last_period"),
            Column("announced_at", Kind.INSTANT),
            _decimal("need_mw", 3),
            _code("direction", DIRECTIONS),
        ),
        depends_on=("dr_programs",),
    ),
    Table(
        "dr_enrolments",
        ("program_id", "participant_id", "valid_from"),
        (
            _text("program_id", references="dr_programs"),
            _text("participant_id", references="participants"),
            _text("tier"),
            _text("aggregator_id", references="participants", required=False),
            _text("baseline_method"),
            _code("adjustment", ("none", "additive", "multiplicative")),
            _decimal("capability_kw", 3),
            Column("fixed_at", Kind.INSTANT),
            *_validity(),
        ),
        depends_on=("participants", "dr_programs"),
    ),
    Table(
        "dr_offers",
        ("event_id", "participant_id"),
        (
            _text("event_id", references="dr_events"),
            _text("participant_id", references="participants"),
            _decimal("offered_kw", 3),
            _decimal("price_cny", 6),
            _code("price_unit", PRICE_UNITS),
        ),
        depends_on=("participants", "dr_events"),
    ),
    Table(
        "dr_awards",
        ("event_id", "participant_id"),
        (
            _text("event_id", references="dr_events"),
            _text("participant_id", references="participants"),
            _decimal("committed_kw", 3),
            _decimal("price_cny", 6),
            _code("price_unit", PRICE_UNITS),
        ),
        depends_on=("participants", "dr_events"),
    ),
    Table(
        "dr_cancellations",
        ("event_id",),
        (
            _text("event_id", references="dr_events"),
            Column("cancelled_at", Kind.INSTANT),
            _text("reason"),
        ),
        depends_on=("dr_events",),
    ),
    Table(
        "dr_appeals",
        ("event_id", "participant_id", "appealed_at"),
        (
            _text("event_id", references="dr_events"),
            _text("participant_id", references="participants"),
            Column("appealed_at", Kind.INSTANT),
            _text("reason"),
            _code("outcome", APPEAL_OUTCOMES, required=False),
            Column("decided_at", Kind.INSTANT, required=False),
            _text("decision", required=False),
        ),
        depends_on=("participants", "dr_events"),
    ),
    Table(
        "dr_exclusions",
        ("participant_id", "date"),
        (
            _text("participant_id", references="participants"),
            _DATE,
            _code("cause", EXCLUSION_CAUSES),
            _text("source"),
        ),
        depends_on=("participants",),
    ),
    Table(
        "rota",
        ("participant_id", "valid_from"),
        (
            _text("participant_id", references="participants"),
            _decimal("share", 6),
            *_validity(),
            _text("source"),
        ),
        depends_on=("participants",),
    ),
    Table(
        "dr_funds",
        ("fund_id", "month"),
        (
            _text("fund_id", references="participants"),
            Column("month", Kind.MONTH),
            _decimal("income_cny", 2),
            _text("source"),
        ),
        depends_on=("participants",),
    ),
    Table(
        "manual_adjustments",
        ("adjustment_id", "valid_from"),
        (
            _text("adjustment_id"),
            _text("payer_id", references="participants"),
            _text("payee_id", references="participants"),
            _text("charge_code"),
            _decimal("amount_cny", 2),
            _text("reason"),
            _text("evidence"),
            _text("entered_by"),
            _text("approver"),
            Column("valid_from", Kind.DATE),
            Column("valid_to", Kind.DATE),
        ),
        depends_on=("participants",),
    ),
    Table(
        "capacity_available",
        ("participant_id", "month"),
        (
            _text("participant_id", references="participants"),
            Column("month", Kind.MONTH),
            _decimal("capacity_mw", 6),
        ),
        depends_on=("participants",),
    ),
    Table(
        "tariffs",
        ("component", "tariff_class", "voltage_band", "valid_from"),
        (
            _code("component", TARIFF_COMPONENTS),
            _text("tariff_class"),
            _code("voltage_band", (*VOLTAGE_BANDS, "all")),
            _decimal("price_cny", 8),
            _code("price_unit", TARIFF_UNITS),
            _text("region"),
            _text("source"),
            Column("source_effective_from", Kind.DATE, required=False),
            *_validity(),
        ),
    ),
    Table(
        "packages",
        ("package_id", "valid_from"),
        (
            _text("package_id"),
            _text("retailer_id", references="participants"),
            _code("kind", PACKAGE_KINDS),
            _decimal("fixed_share", 2, required=False),
            *(
                _decimal(f"{period}_cny_per_mwh", 3, required=False)
                for period in ("sharp", "peak", "flat", "valley", "deep_valley")
            ),
            _code("linked_to", ("day_ahead", "real_time"), required=False),
            _decimal("spread_cny_per_mwh", 3, required=False),
            _decimal("cap_cny_per_mwh", 3, required=False),
            _decimal("x1_share", 4, required=False),
            _decimal("x2_share", 4, required=False),
            _decimal("y1_cny_per_mwh", 3, required=False),
            _decimal("y2_cny_per_mwh", 3, required=False),
            _decimal("c1_cny_per_mwh", 3, required=False),
            _decimal("c2_cny", 2, required=False),
            _decimal("green_share", 4, required=False),
            _decimal("green_cny_per_certificate", 3, required=False),
            *_validity(),
        ),
        depends_on=("participants",),
    ),
    Table(
        "fee_pools",
        ("charge_code", "date", "cause"),
        (
            _text("charge_code"),
            _DATE,
            _decimal("amount_cny", 2),
            _text("cause"),
            _text("participant_id", references="participants"),
        ),
        depends_on=("participants",),
    ),
    Table(
        "standards",
        ("charge_code", "valid_from"),
        (
            _text("charge_code"),
            _decimal("price_cny_per_mwh", 3),
            *_validity(),
            Column("published_on", Kind.DATE),
            _text("source"),
        ),
    ),
    Table(
        "energy_shares",
        ("participant_id", "what", "valid_from"),
        (
            _text("participant_id", references="participants"),
            _code("what", ENERGY_SHARES),
            _decimal("share", 6),
            *_validity(),
        ),
        depends_on=("participants",),
    ),
    Table(
        "package_choices",
        ("participant_id", "valid_from"),
        (
            _text("participant_id", references="participants"),
            _text("package_id", references="packages"),
            Column("signed_on", Kind.DATE),
            _decimal("agreed_mwh", 6, required=False),
            Column("term_ends", Kind.DATE, required=False),
            Column("ended_early_on", Kind.DATE, required=False),
            *_validity(),
        ),
        depends_on=("participants", "packages"),
    ),
    Table(
        "statements_received",
        ("participant_id", "month", "charge_code"),
        (
            _text("participant_id", references="participants"),
            Column("month", Kind.MONTH),
            _text("charge_code"),
            _decimal("quantity_mwh", 6),
            _decimal("amount_cny", 2),
        ),
        depends_on=("participants",),
    ),
)

TABLES = {table.name: table for table in _ALL}


def table_of_file(stem: str) -> Table | None:
    """The table a file belongs to by its name, ``<table>*``; the longest table name that fits, or None."""
    fitting = [
        name for name in TABLES if stem == name or stem.startswith((f"{name}_", f"{name}-", f"{name}."))
    ]
    return TABLES[max(fitting, key=len)] if fitting else None
