"""The Chinese words of the bid's pages and records."""

from __future__ import annotations

from optimization.decision import Reason
from optimization.procurement import INCUMBENT, NO_NEED, NOTHING, OPTIMUM, OVERRIDE, RULE, TABLE, YESTERDAY

LABEL_ZH = {
    OPTIMUM: "最优解",
    INCUMBENT: "限时可行解",
    RULE: "规则兜底报价",
    TABLE: "系数表兜底报价",
    YESTERDAY: "沿用前日报价",
    NOTHING: "不申报(兜底)",
    NO_NEED: "无缺口，不申报",
    OVERRIDE: "人工调整",
}
KIND_ZH = {
    "transfer_capability": "通道可用输电能力",
    "need": "申报需求上限",
    "import_limit": "全省受电能力",
    "demand_response": "需求响应能力",
    "commitment_up": "上调能力(合同、日内或有序用电)",
    "commitment_down": "下调能力(合同)",
    "gap": "缺口(边际成本)",
}
REASON_ZH = {
    Reason.SHORTAGE: "紧缺购电",
    Reason.LIKELY: "可能缺口",
    Reason.CURTAILED: "弃电，不得购电",
    Reason.NO_PATH: "无可用通道",
    Reason.CHEAPER_ELSEWHERE: "其他手段更优，不购",
}
SERIES_ZH = {
    "load": "负荷",
    "wind": "风电",
    "solar": "光伏",
    "seller_price": "售方节点价",
    "provincial_price": "省内价",
    "intraday_price": "日内落地价",
}
MODEL_ZH = {
    "published": "公布预测",
    "last_week": "上周同日",
    "week_mean": "近七日均值",
    "regression": "岭回归",
}
CAUSE_ZH = {"forecast": "预测", "shape": "报价形态", "constraint": "约束"}
