"""Names of the findings on readings (docs/readings.md), Chinese and English."""

from __future__ import annotations

READING_FINDINGS = {
    "daily_jump": ("日电量突变", "sudden jump of a day"),
    "day_out_of_balance": ("96点与日电量不平", "quarter-hours and day do not agree"),
    "energy_fall": ("电量突减", "sudden fall of the month"),
    "energy_rise": ("电量突增", "sudden rise of the month"),
    "month_out_of_balance": ("日月电量不平", "days and register do not agree"),
    "multiplier_differs": ("倍率异常", "multiplier differs from the record"),
    "multiplier_not_split": ("倍率变更未分段", "multiplier change not split"),
    "negative_reading": ("电量为负", "negative energy"),
    "rates_do_not_add": ("分时不平", "rates do not add up to the total"),
    "reading_above_capacity": ("读数超容量", "reading above capacity"),
    "reading_estimated": ("读数估算", "readings estimated"),
    "reading_flat": ("读数长时不变", "reading stands still"),
    "reading_spike": ("读数尖峰", "spike"),
    "reading_substituted": ("读数替代", "readings substituted"),
    "register_backwards": ("示数倒走", "register ran backwards"),
    "register_rolled_over": ("示数满码", "register rolled over"),
    "reverse_energy": ("反向电量", "energy in the other direction"),
    "sub_meters_exceed": ("总分不平", "sub-meters above the main meter"),
    "year_on_year": ("同比异常", "change against the year before"),
    "zero_energy": ("零电量", "no energy for months"),
}
