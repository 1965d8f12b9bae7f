"""The words of the session page, Chinese first, beside those all reports share."""

from __future__ import annotations

from collections.abc import Mapping

from reports.labels import LANGUAGES, Labels

WORDS: Mapping[str, tuple[str, str]] = {
    "session": ("省间现货交易出清", "Inter-provincial spot clearing"),
    "day": ("交易日", "Day"),
    "stage": ("阶段", "Stage"),
    "round": ("轮次", "Round"),
    "periods": ("时段数", "Periods"),
    "profile": ("规则版本", "Rule profile"),
    "trades": ("成交笔数", "Trades"),
    "sell_mwh": ("卖方节点电量 (MWh)", "Energy at sellers (MWh)"),
    "buy_mwh": ("买方节点电量 (MWh)", "Energy at buyers (MWh)"),
    "seller_average": ("卖方节点均价 (元/MWh)", "Mean seller price (yuan/MWh)"),
    "landed_average": ("落地均价 (元/MWh)", "Mean landed price (yuan/MWh)"),
    "buyer_cost": ("买方支出 (万元)", "Buyers pay (10,000 yuan)"),
    "seller_revenue": ("卖方收入 (万元)", "Sellers receive (10,000 yuan)"),
    "transmission": ("输电费 (万元)", "Section owners receive (10,000 yuan)"),
    "identity": (
        "买方支出按公布的落地价计; 与卖方收入加输电费相差 {gap} 元, 来自价格取到 0.001 元/MWh。",
        "Buyers pay published landed prices; {gap} yuan lie between that and what sellers and owners receive, "
        "because prices are published to 0.001 yuan/MWh.",
    ),
    "period_title": ("分时撮合", "A period"),
    "choose": ("时段", "Period"),
    "earlier": ("上一时段", "Earlier"),
    "later": ("下一时段", "Later"),
    "offers": ("卖方报价", "offers"),
    "cleared": ("成交", "cleared"),
    "price": ("节点价", "price"),
    "landed": ("落地价", "landed"),
    "not_sold": ("未成交", "nothing sold"),
    "power_axis": ("卖方节点电力 (MW)", "Power at the seller node (MW)"),
    "price_axis": ("元/MWh", "yuan/MWh"),
    "stack_note": (
        "灰色台阶为卖方报价(由低到高), 彩色线为买方报价沿各路径折算到卖方节点后的价格(由高到低, 规则 4.3.1)。"
        "同一买方的电力只能成交一次, 因此不同路径的线不能相加; 竖线为该节点成交电力, 横线为节点价"
        "(最后一笔成交买卖价的平均, 4.3.3 a)。高出图框的报价不再画出; 节点路径多于六条时只画有成交的。",
        "Grey steps are offers, coloured lines the bids converted to the seller node over each path (4.3.1). A "
        "buyer's power trades once, so lines of different paths do not add up. The upright line is the power "
        "sold, the level one the node's price, the mean of its last pair (4.3.3 a). Bids above the frame are cut; of "
        "more than six paths only those that traded are drawn.",
    ),
    "order": ("次序", "Order"),
    "path": ("路径", "Path"),
    "seller": ("卖方节点", "Seller"),
    "buyer": ("买方节点", "Buyer"),
    "sell_segment": ("卖段", "Seller seg."),
    "buy_segment": ("买段", "Buyer seg."),
    "sell_mw": ("卖方 MW", "Seller MW"),
    "buy_mw": ("买方 MW", "Buyer MW"),
    "sell_price": ("卖方报价", "Offer"),
    "converted": ("折算买价", "Converted bid"),
    "spread": ("价差", "Spread"),
    "trades_title": ("成交次序", "Trades in order"),
    "no_trades": ("本时段无成交。", "Nothing was traded in this period."),
    "prices_title": ("节点价与落地价", "Node and landed prices"),
    "node_prices": ("卖方节点价", "Seller-node prices"),
    "landed_prices": ("各路径落地价", "Landed prices by path"),
    "periods_sold": ("成交时段", "Periods"),
    "lowest": ("最低", "Lowest"),
    "average": ("均价", "Mean"),
    "highest": ("最高", "Highest"),
    "amount": ("金额 (元)", "Amount (yuan)"),
    "price_note": (
        "空白为未成交。点一格可在上面查看该时段。",
        "Blank: nothing sold. Click a cell to see its period above.",
    ),
    "capability_title": ("输电能力使用", "Transfer capability used"),
    "section": ("断面", "Section"),
    "energy": ("电量 (MWh)", "Energy (MWh)"),
    "highest_mw": ("最大 MW", "Largest MW"),
    "highest_share": ("最大使用率", "Largest use"),
    "full_periods": ("用满时段", "Full periods"),
    "no_limit": ("无限额", "no limit"),
    "capability_note": (
        "按卖方节点电力计, 沿路径不扣网损。空白为无限额或当时不可用。",
        "Measured as MW at the seller node, without loss along the path. Blank: no limit, or closed.",
    ),
    "findings": ("异常", "Findings"),
    "no_findings": ("无异常。", "None."),
    "inputs": ("输入文件", "Input files"),
    "file": ("文件", "File"),
    "role": ("表", "Table"),
    "rows": ("行数", "Rows"),
    "none": ("无", "none"),
    "nothing_cleared": ("本场没有成交。", "Nothing was traded in this session."),
    "self_contained": (
        "本页为单一文件, 可离线打开。价格单位元/MWh, 电力单位 MW, 时段以结束时刻标记。",
        "One file that opens offline. Prices in yuan/MWh, power in MW, periods named by their end.",
    ),
}
ROLES: Mapping[str, tuple[str, str]] = {
    "offers": ("卖方申报", "offers"),
    "bids": ("买方申报", "bids"),
    "paths": ("交易路径", "paths"),
    "atc": ("可用输电能力", "transfer capability"),
    "sections": ("断面电价", "sections"),
    "system": ("系统曲线", "system series"),
}
STAGES: Mapping[str, tuple[str, str]] = {
    "day_ahead": ("日前", "day-ahead"),
    "intraday": ("日内", "intraday"),
}
FINDINGS: Mapping[str, tuple[str, str]] = {
    "ramp_fall": ("降幅超爬坡", "falls faster than the ramp"),
    "too_many_segments": ("段数超限", "too many segments"),
    "segment_numbers": ("段号不连续", "segment numbers"),
    "power_off_step": ("电力非整步长", "power off its step"),
    "price_off_step": ("价格非整步长", "price off its step"),
    "price_outside_limits": ("报价越限", "price outside its limits"),
    "curve_not_monotone": ("曲线不单调", "curve not monotone"),
    "both_sides": ("同时买卖", "on both sides"),
    "buying_while_curtailing": ("弃电时购电", "buys while curtailing"),
    "selling_in_shortage": ("缺电时售电", "sells in shortage"),
    "same_province_path": ("同省路径", "path within a province"),
}


class SessionLabels(Labels):
    """Words of the session page, then those of all reports."""

    def __call__(self, word: str, **values: object) -> str:
        """A word; KeyError for one that neither table has."""
        if word not in WORDS:
            return super().__call__(word, **values)
        text = WORDS[word][LANGUAGES.index(self.lang)]
        return text.format(**values) if values else text
