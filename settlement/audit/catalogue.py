"""The catalogue of audit rules: what each asks, how severe it is, its limit in the profile, and who answers.

market.md C.6 found no official rule list; its own catalogue is background knowledge (BG). A rule may stand in another
room under another name; here is where. docs/audit.md prints this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from settlement.findings import Severity

BACKGROUND = "BG"
Part = Literal["readings", "audit", "provincial", "interprovincial"]
BLOCK, REVIEW, INFORM = Severity.BLOCK, Severity.REVIEW, Severity.INFORM


@dataclass(frozen=True)
class AuditRule:
    """codes: the findings it gives. limits: (part of the profile, key). found_by: module and function."""

    rule_id: str
    name_zh: str
    name_en: str
    asks: str
    severity: Severity
    codes: tuple[str, ...]
    found_by: str
    limits: tuple[tuple[Part, str], ...] = ()
    certainty: str = BACKGROUND


def _of_readings(*keys: str) -> tuple[tuple[Part, str], ...]:
    return tuple(("readings", key) for key in keys)


def _of_month(*keys: str) -> tuple[tuple[Part, str], ...]:
    return tuple(("audit", key) for key in keys)


MONTHS, REGISTERS = "settlement.vee.months", "settlement.vee.registers"

CATALOGUE: tuple[AuditRule, ...] = (
    AuditRule("R01", "零电量", "no energy", "no energy for months of a meter that took some before", REVIEW, ("zero_energy",), MONTHS, _of_readings("zero_months")),
    AuditRule("R02", "突增", "sudden rise", "the month far above the mean of the three before", REVIEW, ("energy_rise",), MONTHS, _of_readings("rise_share", "rise_floor_mwh")),
    AuditRule("R03", "突减", "sudden fall", "the month far below the mean of the three before", REVIEW, ("energy_fall",), MONTHS, _of_readings("fall_share")),
    AuditRule("R04", "同比异常", "against last year", "the month far from the same month a year before", REVIEW, ("year_on_year",), MONTHS, _of_readings("year_on_year_share")),
    AuditRule("R05", "示数倒走", "register ran back", "a register ends below its start, too far for a wrap", REVIEW, ("register_backwards",), REGISTERS, _of_readings("rollover_share")),
    AuditRule("R06", "满码", "register rolled over", "a register ends below its start as after a wrap of its digits", INFORM, ("register_rolled_over",), REGISTERS, _of_readings("rollover_share")),
    AuditRule("R07", "倍率异常", "other multiplier", "the sender's multiplier is not the record's", REVIEW, ("multiplier_differs",), "jobs.register_checks"),
    AuditRule("R08", "变更倍率未生效", "multiplier not split", "the multiplier changed and the register was not read that day", REVIEW, ("multiplier_not_split",), "jobs.register_checks"),
    AuditRule("R09", "分时不平", "rates do not add up", "the rates of a register against its total", REVIEW, ("rates_do_not_add",), "jobs.register_checks", _of_readings("rates_tolerance_kwh")),
    AuditRule("R10", "96点与日电量不平", "day out of balance", "96 quarter-hours against the register of the day", REVIEW, ("day_out_of_balance",), "jobs.register_checks", _of_readings("day_balance_share")),
    AuditRule("R11", "日月不平", "month out of balance", "the days against the register of the month", REVIEW, ("month_out_of_balance",), "jobs.register_checks", _of_readings("month_balance_share")),
    AuditRule("R12", "电价执行错误", "wrong tariff class", "class against kind, voltage and capacity", REVIEW, ("tariff_class_differs",), "settlement.audit.records.tariff_class_fits", _of_month("tariff_classes")),
    AuditRule("R13", "均价异常", "mean price", "what an account pays a kWh lies outside the range of its kind", REVIEW, ("mean_price_out_of_range",), "settlement.audit.bills.mean_price_in_range", _of_month("mean_prices", "mean_price_without")),
    AuditRule("R14", "力调异常", "power factor", "cos phi below the limit, or another standard than class and capacity give", REVIEW, ("power_factor_odd",), "settlement.audit.bills.power_factor_plausible", _of_month("power_factor_low")),
    AuditRule("R15", "基本电费异常", "basic fee", "maximum demand above the capacity, or the way of paying changed too soon again", REVIEW, ("basic_fee_odd",), "settlement.audit.bills.basic_fee_plausible", _of_month("demand_over_capacity", "basic_fee_change_days")),
    AuditRule("R16", "总分不平", "sub-meters above main", "the meters behind a main meter took more than it", REVIEW, ("sub_meters_exceed",), "jobs.register_checks", _of_readings("sub_meters_share")),
    AuditRule("R17", "变损/线损异常", "loss", "the province's loss of a day outside the range; transformers are not metered apart", REVIEW, ("loss_out_of_range",), "settlement.month", (("provincial", "loss_rate_low"), ("provincial", "loss_rate_high"))),
    AuditRule("R18", "户变/互感器档案缺失", "master data missing", "a key that the kind must have is empty, or no meter belongs to the account", REVIEW, ("master_data_missing",), "settlement.audit.records.master_data_complete", _of_month("required_keys")),
    AuditRule("R19", "新装/销户当月", "new or closed", "the account began or ended inside the month", REVIEW, ("account_joined_or_left",), "settlement.audit.records.joined_or_left"),
    AuditRule("R20", "合约曲线≠合约电量", "curve against contract", "the curve of the month against the energy that was registered", REVIEW, ("contract_energy_differs",), "settlement.audit.contracts.curve_is_contract_energy", _of_month("contract_energy_mwh")),
    AuditRule("R21", "合约双边不一致", "sides of a contract", "what the seller registered against what the buyer did", REVIEW, ("contract_sides_differ",), "settlement.audit.contracts.sides_agree", _of_month("contract_side_mwh")),
    AuditRule("R22", "省间成交重复", "trade twice", "one date, stage, round, period, path and seller has one trade", BLOCK, ("duplicate_trade",), "settlement.trade_checks"),
    AuditRule("R23", "成交价不等于公式", "price not by formula", "the landed price against the path (A.7), the trades against clearing again", REVIEW, ("landed_price_differs", "trade_loss_differs", "clearing_differs"), "settlement.interprovincial, jobs.reclear", (("provincial", "landed_price_tolerance_cny_per_mwh"),)),
    AuditRule("R24", "限价", "price limits", "a price outside floor and cap", REVIEW, ("trade_price_out_of_limits", "price_out_of_limits"), "settlement.trade_checks, jobs.month_inputs", (("interprovincial", "floor_cny_per_mwh"), ("interprovincial", "cap_cny_per_mwh"), ("provincial", "clearing_price_floor_cny_per_mwh"), ("provincial", "clearing_price_cap_cny_per_mwh"))),
    AuditRule("R25", "计量缺点", "points missing", "fewer than 96 points, and nothing fills them", BLOCK, ("missing_reading", "missing_meter_day"), "jobs.month_inputs"),
    AuditRule("R26", "电量为负", "negative energy", "a reading below zero", BLOCK, ("negative_reading",), "settlement.vee.intervals"),
    AuditRule("R27", "电费尾差", "tail", "a line against its days, a participant's lines against its account", BLOCK, ("tail_difference",), "settlement.audit.closing.no_tail", _of_month("tail_cny")),
    AuditRule("R28", "分摊闭合", "allocation closes", "a clearing account closes, an event's shares are its cost", BLOCK, ("allocation_open",), "settlement.audit.closing.allocation_closes", _of_month("closure_cny")),
    AuditRule("R29", "重复结算", "settled twice", "one line a participant and charge; one run a month, kind and version", BLOCK, ("settled_twice",), "settlement.audit.closing.settled_once"),
    AuditRule("R30", "退补超窗", "beyond the window", "a correction from further back than the window; beyond the profile's look-back it is refused", REVIEW, ("correction_beyond_window",), "settlement.audit.closing.within_look_back, jobs.correct_month", (*_of_month("look_back_months"), ("provincial", "look_back_months"))),
)  # fmt: skip

RULE_OF: dict[str, str] = {code: rule.rule_id for rule in CATALOGUE for code in rule.codes}


def rule_of(code: str) -> str | None:
    """The rule that gives findings of a code, None for a finding outside the catalogue."""
    return RULE_OF.get(code)
