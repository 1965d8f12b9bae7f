"""The words of the allocation page, Chinese first, beside those all reports share."""

from __future__ import annotations

from collections.abc import Mapping

from reports.labels import LANGUAGES, Labels

WORDS: Mapping[str, tuple[str, str]] = {
    "allocation_report": ("需求响应费用分摊报告", "Demand-response allocation report"),
    "event_report": ("需求响应事件报告", "Demand-response event report"),
    "principle": ("谁受益、谁承担", "Who gains, pays"),
    "provisional": ("预结算, 以当日计量数据计算", "provisional, on the readings of the day"),
    "state": ("状态", "State"),
    "announced": ("公布", "Announced"),
    "events": ("事件数", "Events"),
    "benefit_sum": ("受益合计(元)", "Benefit (yuan)"),
    "cost_sum": ("净费用合计(元)", "Net cost (yuan)"),
    "cost_covered": ("按受益可分摊的比例", "Share of the cost that benefit bears"),
    "payers": ("分摊主体", "Payers"),
    "fairness_all": ("公平指数 (全部分摊)", "Fairness index (all charges)"),
    "fairness_benefit": ("公平指数 (受益部分)", "Fairness index (benefit tranche)"),
    "charged_without": (
        "无受益者在受益部分的分摊(元)",
        "Charged to non-beneficiaries in the benefit tranche (yuan)",
    ),
    "scatter_title": (
        "受益与分摊 · 公平指数 {all} (受益部分 {benefit})",
        "Benefit against charge · fairness index {all} (benefit tranche {benefit})",
    ),
    "fairness_note": (
        "公平指数 = (Σx)² ÷ (n·Σx²), x 为每个受益主体的分摊 ÷ 受益; 1 表示每一元受益承担相同。余额按用电量分摊, "
        "受益小而用电多的主体偏离斜线, 因此总指数低于受益部分。",
        "The fairness index is (Σx)² / (n·Σx²) with x = charge / benefit of everyone who benefited; 1 means that every "
        "yuan of benefit bears the same. The residual goes by use, so that payers of large use and small benefit lie "
        "off the line and the index of all charges is below that of the benefit tranche.",
    ),
    "capacity_fee": ("容量补偿", "Capacity fee"),
    "fund": ("专项资金", "Fund"),
    "no_shared": ("没有可分摊的事件。", "No event could be shared."),
    "ratio_title": ("分摊 ÷ 受益: 按类型与地市", "Charge ÷ benefit by class and city"),
    "ratio": ("分摊 ÷ 受益", "Charge ÷ benefit"),
    "class": ("类型", "Class"),
    "net_title": ("净效益测试: 每个事件与全月", "Net-benefit test: every event and the month"),
    "net_note": (
        "全网: 事件时段全省用电按实时价少付的钱 (P0 − P1)·Q1, 大于净费用为通过, 相等不通过。敞口: 每个主体未被合同与日前锁定的"
        "部分所得, 这是分摊的依据。两者之差说明谁得益: 已锁价的电量不因价格下降而得益。",
        "Province: what all load of the window saved at the real-time price, (P0 − P1)·Q1; more than the net cost "
        "passes, equal does not. Exposure: what each payer's uncovered part gained, which is what charges rest on. The "
        "difference says for whom: energy whose price was fixed gains nothing from a lower one.",
    ),
    "window": ("时段", "Window"),
    "net_cost": ("净费用(元)", "Net cost (yuan)"),
    "benefit_province": ("全网受益(元)", "Benefit, province (yuan)"),
    "benefit_exposed": ("敞口受益(元)", "Benefit, exposure (yuan)"),
    "unit_cost": ("含补偿均价(元/MWh)", "Price with payment (yuan/MWh)"),
    "per_mwh": ("响应单价(元/MWh)", "Cost of response (yuan/MWh)"),
    "landed": ("省间落地价 均/最高(元/MWh)", "Landed import, mean / dearest (yuan/MWh)"),
    "test": ("测试", "Test"),
    "passes": ("通过", "passes"),
    "fails": ("不通过", "fails"),
    "month_row": ("全月", "Month"),
    "sessions_title": (
        "省间现货重新出清: 假如没有响应",
        "The inter-provincial session cleared again, had there been no response",
    ),
    "sessions_note": (
        "把响应电力加到省方最高价段后重新出清。买不到的电量即为缺口, 需要有序用电; 其价值按失负荷价值 {voll} 元/MWh 计, "
        "在没有轮次表之前不进入分摊。",
        "The response is added to the province's dearest bid and the session cleared again. What could not be bought would "
        "have been a shortage and orderly use; at a value of lost load of {voll} yuan/MWh it is shown, and enters no "
        "charge while there is no rota.",
    ),
    "stage": ("阶段", "Stage"),
    "day_ahead": ("日前", "day ahead"),
    "intraday": ("日内", "intraday"),
    "rise": ("落地价最大升幅(元/MWh)", "Largest rise of landed price (yuan/MWh)"),
    "more_bought": ("会多买(MWh)", "Would have bought more (MWh)"),
    "unserved": ("会缺电(MWh)", "Would have lacked (MWh)"),
    "more_cost": ("会多付(元)", "Would have paid more (yuan)"),
    "lost_load": ("失负荷价值(元)", "Value of lost load (yuan)"),
    "no_sessions": (
        "没有当日的省间报价, 或省方未从省外购电: 只用省内曲线。",
        "There are no inter-provincial bids of these days, or the province bought nothing: the provincial stack alone.",
    ),
    "fan_title": ("响应前后: 负荷、基线与相似日", "Before and after: load, baseline and like days"),
    "fan_note": (
        "全部参与户之和。灰带为之前 {days} 个同类日的最低到最高, 虚线为中位; 橙线为各户签约方法的基线之和。",
        "Sum of all who were called. The grey band runs from the lowest to the highest of the {days} like days before, "
        "dashed is their median; orange is the sum of the baselines by the methods enrolled.",
    ),
    "metered": ("实测", "metered"),
    "baseline": ("基线", "baseline"),
    "like_days": ("相似日", "like days"),
    "median": ("中位", "median"),
    "power_axis": ("MW", "MW"),
    "placebo_title": ("基线误差: 无事件日的检验", "Baseline errors on days without an event"),
    "placebo_note": (
        "每点为一个无事件工作日全部签约户之和的误差 (基线 − 实测) ÷ 实测, 按方法; 大于零意味着为没有发生的响应付钱。",
        "A point is one working day without an event: the error (baseline − metered) / metered of the sum of everyone "
        "enrolled, by method; above zero pays for response that did not happen.",
    ),
    "placebo_axis": ("日误差 (%)", "Daily error (%)"),
    "reduction_title": ("对削减量的影响", "What that means for the reduction"),
    "reduction_note": (
        "按各户签约方法, 事件前的无事件日; 95% 范围 = 1.96 × 日误差标准差 × 基线电量。",
        "By the methods enrolled, on days without an event before it; the 95 % range is 1.96 × the standard deviation of "
        "the daily error × the baseline energy.",
    ),
    "placebo_days": ("检验日数", "Placebo days"),
    "bias": ("偏差", "Bias"),
    "spread": ("离散", "Spread"),
    "baseline_mwh": ("基线电量(MWh)", "Baseline energy (MWh)"),
    "reduction_mwh": ("削减电量(MWh)", "Reduction (MWh)"),
    "range": ("95% 范围(MWh)", "95 % range (MWh)"),
    "range_share": ("占削减量", "Of the reduction"),
    "lab_title": ("基线实验室: 各方法并列", "Baseline laboratory: methods side by side"),
    "lab_note": (
        "每户至多 {days} 个工作日, 各方法取相同的日, 时段 {window}; RRMSE 低于 {below} 为认证。标出的是按证据应选用该方法的户数 (以首个事件公布前的检验日为证据)。",
        "Up to {days} working days a participant, the same for every method, {window}; certified below an RRMSE of "
        "{below}. Marked: how many should be enrolled with the method, by the placebo days before the first event was "
        "announced.",
    ),
    "method": ("方法", "Method"),
    "adjustment": ("同日修正", "Adjustment"),
    "certified": ("认证户数", "Certified"),
    "median_rrmse": ("RRMSE 中位", "Median RRMSE"),
    "worst_rrmse": ("RRMSE 最差", "Worst RRMSE"),
    "mean_nmbe": ("平均偏差", "Mean bias"),
    "spread_nmbe": ("户间离散", "Spread between accounts"),
    "portfolio_rrmse": ("组合 RRMSE", "Portfolio RRMSE"),
    "portfolio_nmbe": ("组合偏差", "Portfolio bias"),
    "chosen": ("选用", "Chosen"),
    "rules_title": ("同一事件, 各种分摊规则", "The same event under every rule"),
    "rules_note": (
        "距离 = Σ|差额| ÷ 费用, 0 为同一分法, 2 为完全换人承担。超出受益: 向主体收取超过其受益的金额合计。",
        "Distance = Σ|difference| / cost: 0 is the same split, 2 has every fen borne by someone else. Above benefit: what "
        "payers are charged beyond their benefit, in all.",
    ),
    "by_class_share": ("各规则下的承担比例 (按类型)", "Who bears the cost under each rule, by class"),
    "rule_name": ("规则", "Rule"),
    "in_force": ("现行", "in force"),
    "distance": ("与现行的距离", "Distance"),
    "fairness": ("公平指数", "Fairness"),
    "without": ("无受益者承担(元)", "Borne without benefit (yuan)"),
    "above": ("超出受益(元)", "Above benefit (yuan)"),
    "losers": ("会多付", "Would pay more"),
    "winners": ("会少付", "Would pay less"),
    "shapley_note": (
        "Shapley 值由 {samples} 次随机到达抽样, 受益部分 95% 置信区间最宽处为 ±{half} 元 ({who})。",
        "The Shapley value is sampled over {samples} random orders; the widest 95 % interval of the benefit tranche is "
        "±{half} yuan ({who}).",
    ),
    "shapley_exact": (
        "受益主体不超过 12 个, Shapley 值精确计算。",
        "Twelve or fewer benefited: the Shapley value is exact.",
    ),
    "shift_title": ("对估计值的敏感度", "How far it rests on estimates"),
    "shift_note": (
        "基线变动改变响应与补偿; 电价为反事实升幅的变动; 网损为响应折算到发电侧的变动。",
        "A changed baseline changes response and payment; price is the counterfactual rise; loss is the response as it "
        "counts at the generators.",
    ),
    "changed": ("变动", "Changed"),
    "cost_now": ("净费用(元)", "Net cost (yuan)"),
    "benefit_now": ("受益(元)", "Benefit (yuan)"),
    "moved": ("分摊移动", "Charges moved"),
    "most_more": ("多付最多", "Most more"),
    "most_less": ("少付最多", "Most less"),
    "responses_title": ("各户响应", "Responses"),
    "participant": ("主体", "Participant"),
    "committed_kw": ("约定(kW)", "Promised (kW)"),
    "average_kw": ("平均(kW)", "Average (kW)"),
    "largest_kw": ("最大(kW)", "Largest (kW)"),
    "smallest_kw": ("最小(kW)", "Smallest (kW)"),
    "rate": ("响应率", "Rate"),
    "minutes": ("有效(min)", "Minutes"),
    "confirmed_kw": ("确认(kW)", "Confirmed (kW)"),
    "eligible_mwh": ("计酬电量(MWh)", "Eligible (MWh)"),
    "verdict": ("结论", "Verdict"),
    "valid": ("有效", "valid"),
    "model_title": ("反事实、输入与模型", "Counterfactual, inputs and model"),
    "model_note": (
        "没有响应时的电价是模型值, 可以争议: 受益与分摊随之变动, 见敏感度。已锁价的主体不付费, 虽然可靠供电对其同样有价值。",
        "The price without the response is a model and can be disputed: benefit and charges move with it, see the "
        "sensitivity. Payers whose price was fixed pay nothing, although a reliable supply is worth something to them too.",
    ),
    "model": ("模型", "Model"),
    "responders_added": ("加回响应的户数", "Responses added back"),
    "rise_da": ("日前升幅(元/MWh)", "Rise day ahead (yuan/MWh)"),
    "rise_rt": ("实时升幅(元/MWh)", "Rise real time (yuan/MWh)"),
    "not_known": ("公布晚于日前出清", "announced after day-ahead clearing"),
    "assumptions": ("规则与假设", "Rules and assumptions"),
    "missing_event": (
        "该事件有缺失的读数、价格或基线, 不能分摊; 见异常。",
        "A reading, price or baseline of this event is missing, so it cannot be shared; see the findings.",
    ),
    "economic_event": (
        "经济型事件: 响应记录在案, 费用由现货偏差自行结算, 不分摊。",
        "An economic event: the response is recorded, its spot deviation pays it, nothing is shared.",
    ),
    "made_from": (
        "本页数字与批次文件一致, 由同一输入重新计算并核对。",
        "Figures are recalculated from the same inputs and agree with the run's files.",
    ),
    "made_provisional": (
        "本页由当日数据计算; 正式结果以月度正式版为准, 差异由 gridsettle dr bridge 逐项说明。",
        "Calculated on the data of the day; the month's final run decides, and gridsettle dr bridge explains the difference.",
    ),
}

RULES: Mapping[str, tuple[str, str]] = {
    "consumption": ("按响应时段用电量 (M1)", "use in the event (M1)"),
    "users_and_nonmarket_generation": ("用户与非市场上网电量 (M3)", "use and non-market generation (M3)"),
    "positive_deviation": ("按正偏差 (M6)", "positive deviation (M6)"),
    "benefit": ("按受益 (M7)", "benefit (M7)"),
    "two_tranche": ("两段式: 受益, 余额 (M9)", "two tranches: benefit, residual (M9)"),
    "talmud": ("塔木德规则 (核仁)", "Talmud rule (nucleolus)"),
    "shapley": ("Shapley 值", "Shapley value"),
    "zonal": ("分区概率受益 (M8)", "zonal (M8)"),
}

CHANGES: Mapping[str, tuple[str, str]] = {
    "baseline": ("基线", "baseline"),
    "price": ("反事实升幅", "counterfactual rise"),
    "loss": ("网损折算", "loss"),
}

METHODS: Mapping[str, tuple[str, str]] = {
    "mean_5": ("近5日均值", "mean of 5"),
    "high_4_of_5": ("5取高4", "high 4 of 5"),
    "high_5_of_10": ("10取高5", "high 5 of 10"),
    "mean_10_of_10": ("近10日均值", "mean of 10"),
    "middle_8_of_10": ("10取中8", "middle 8 of 10"),
    "same_day_3_2": ("同日前3后2小时", "same day 3+2"),
    "match_3": ("最相似3日", "match 3"),
    "regression": ("回归", "regression"),
}

ADJUSTMENTS: Mapping[str, tuple[str, str]] = {
    "none": ("无", "none"),
    "additive": ("加法", "additive"),
    "multiplicative": ("乘法", "multiplicative"),
}

VERDICTS: Mapping[str, tuple[str, str]] = {
    "": ("有效", "valid"),
    "peak_not_moved": ("峰值未降", "peak not moved"),
    "below_floor": ("低于下限", "below the floor"),
    "too_short": ("时长不足", "too short"),
    "not_enough_history": ("历史不足", "not enough history"),
    "fund_waits": ("资金待定", "fund waits"),
    "event_day_gap": ("当日缺数", "readings missing"),
    "missing_price": ("缺价格", "price missing"),
}


class AllocationLabels(Labels):
    """Words of the allocation page, then those of all reports."""

    def __call__(self, word: str, **values: object) -> str:
        """A word; KeyError for one that neither table has."""
        if word not in WORDS:
            return super().__call__(word, **values)
        text = WORDS[word][LANGUAGES.index(self.lang)]
        return text.format(**values) if values else text
