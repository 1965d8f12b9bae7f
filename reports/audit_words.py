"""Names of the findings of the audit rules and the heads of the audit's tables (docs/audit.md), Chinese and English."""

from __future__ import annotations

AUDIT_FINDINGS = {
    "account_joined_or_left": ("新装/销户当月", "account began or ended in the month"),
    "allocation_open": ("分摊不闭合", "allocation does not close"),
    "basic_fee_odd": ("基本电费异常", "basic fee odd"),
    "contract_energy_differs": ("合约曲线与合约电量不符", "curve and contract energy differ"),
    "contract_sides_differ": ("合约双边不一致", "sides of a contract differ"),
    "correction_beyond_window": ("退补超窗", "correction beyond the window"),
    "master_data_missing": ("档案缺失", "master data missing"),
    "mean_price_out_of_range": ("均价异常", "mean price out of range"),
    "power_factor_odd": ("力调异常", "power factor odd"),
    "settled_twice": ("重复结算", "settled twice"),
    "tail_difference": ("电费尾差", "tail difference"),
    "tariff_class_differs": ("电价执行错误", "tariff class does not fit"),
}

AUDIT_WORDS = {
    "audit": ("电费审核", "Audit"),
    "audit_rule": ("规则", "Rule"),
    "audit_looked_at": ("已查", "Looked at"),
    "audit_found": ("命中", "Found"),
    "audit_open": ("未结", "Open"),
    "audit_accounts": ("户数", "Accounts"),
    "audit_passed": ("自动通过", "Passed by themselves"),
    "audit_share": ("自动通过率", "Automatic pass share"),
    "audit_exceptions": ("异常", "Exceptions"),
    "audit_age_2": ("≤2天", "≤2 days"),
    "audit_age_5": ("3–5天", "3-5 days"),
    "audit_age_10": ("6–10天", "6-10 days"),
    "audit_age_more": (">10天", ">10 days"),
    "audit_oldest": ("最长(天)", "Oldest (days)"),
    "audit_worked": ("平均处理(天)", "Mean days to close"),
}
