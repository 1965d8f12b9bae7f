"""The words on reports, Chinese first, English on request: one term for one thing on every page."""

from __future__ import annotations

from collections.abc import Mapping

from reports.audit_words import AUDIT_FINDINGS, AUDIT_WORDS
from reports.finding_sentences import in_chinese, rule_in_chinese
from reports.reading_words import READING_FINDINGS
from reports.reconcile_words import RECONCILE_FINDINGS, RECONCILE_WORDS

LANGUAGES = ("zh", "en")

WORDS: Mapping[str, tuple[str, str]] = {
    # sheets
    "sheet_summary": ("汇总", "Summary"),
    "sheet_lines": ("科目明细", "Lines"),
    "sheet_daily": ("分日", "By day"),
    "sheet_curve": ("分时(96点)", "By quarter-hour (96)"),
    "sheet_meters": ("计量点", "Meters"),
    "sheet_bridge": ("差异桥", "Bridge"),
    "sheet_adjustments": ("人工调整", "Manual adjustments"),
    "sheet_rules": ("规则与参数", "Rules"),
    "sheet_findings": ("异常与估算", "Findings and estimates"),
    "sheet_versions": ("版本与指纹", "Versions and hashes"),
    "sheet_balance": ("平衡校核", "Balance"),
    "sheet_accounts": ("账户", "Accounts"),
    "sheet_charges": ("科目汇总", "Charges"),
    "sheet_cities": ("地市异常", "Findings by city"),
    "sheet_participants": ("主体金额", "Participants"),
    "sheet_response": ("事件响应", "Demand response"),
    # statement
    "statement": ("电费结算单", "Settlement statement"),
    "province_summary": ("全省汇总", "Province summary"),
    "sign_note": (
        "金额为正表示应付, 为负表示应收。金额单位: 元; 电量单位: MWh。",
        "A positive amount is to be paid, a negative one is received. Amounts in yuan, energy in MWh.",
    ),
    "statement_no": ("结算单编号", "Statement no."),
    "participant_id": ("主体编码", "Participant"),
    "participant_name": ("市场主体", "Name"),
    "participant_kind": ("主体类型", "Kind"),
    "city": ("地市", "City"),
    "month": ("结算月份", "Month"),
    "run_kind": ("结算类型", "Kind of run"),
    "run_alias": ("结算批次", "Run"),
    "run_id": ("批次标识", "Run id"),
    "version": ("版本号", "Version"),
    "previous_version": ("上一版本", "Previous version"),
    "fingerprint": ("指纹 (sha256)", "Fingerprint (sha256)"),
    "log_anchor": ("审计日志锚", "Anchor of the log of acts"),
    "life_prepared": ("编制", "Prepared by"),
    "life_checked": ("审核", "Checked by"),
    "life_approved": ("审批", "Approved by"),
    "life_rejected": ("退回", "Rejected by"),
    "life_published": ("发布", "Published by"),
    "profile": ("规则版本", "Rule profile"),
    "software": ("软件版本", "Software"),
    "as_of": ("数据截止", "Data as of"),
    "status": ("状态", "Status"),
    "net_amount": ("净额(元)", "Net amount (yuan)"),
    "known_amount": ("已知科目合计(元)", "Sum of known lines (yuan)"),
    "missing_lines": ("缺失科目数", "Missing lines"),
    "change": ("较上版变化(元)", "Change against previous (yuan)"),
    "measured_share": ("实测电量占比", "Measured share of energy"),
    "estimated_share": ("估算或替代电量占比", "Estimated share of energy"),
    "manual_count": ("人工调整笔数", "Manual adjustments"),
    "manual_amount": ("人工调整金额(元)", "Manual adjustments (yuan)"),
    "top_reasons": ("变化的主要原因", "Main causes of the change"),
    "cause_brought": ("新到 (+) 与不再采用 (−) 的文件", "Files that came (+) and no longer count (−)"),
    "unattributed": ("未归因", "not attributed"),
    "list_comma": ("、", ", "),
    "moved": ("变化项", "What moved"),
    "checks": ("校核", "Checks"),
    "check_ok": ("OK", "OK"),
    "check_fails": ("不符", "FAILS"),
    "open_listed": ("未结异常明细", "Open findings, listed"),
    "open_findings": ("未结异常", "Open findings"),
    "prepared_by": ("编制:", "Prepared by:"),
    "reviewed_by": ("审核:", "Reviewed by:"),
    "approved_by": ("审批:", "Approved by:"),
    "top_changes": ("变化最大的科目", "Largest changes"),
    "subject_code": ("科目编码", "Subject code"),
    "charge": ("科目名称", "Charge"),
    "charge_code": ("内部代码", "Charge code"),
    "quantity": ("电量(MWh)", "Energy (MWh)"),
    "price": ("电价(元/MWh)", "Price (yuan/MWh)"),
    "amount": ("金额(元)", "Amount (yuan)"),
    "previous_amount": ("上版金额", "Previous amount"),
    "difference": ("差额", "Difference"),
    "reason": ("原因", "Reason"),
    "clause": ("依据", "Clause"),
    "quality": ("实测占比", "Measured share"),
    "total": ("合计", "Total"),
    "check": ("校验", "Check"),
    "check_lines": ("校验: 明细合计 − 净额 (应为 0.00)", "Check: lines − net amount (must be 0.00)"),
    "check_energy": ("校验: 96点合计 − 结算电量 (应为 0)", "Check: 96 points − settled energy (must be 0)"),
    "check_difference": (
        "校验: 本版 − 上版 − 差额 (应为 0.00)",
        "Check: this − previous − difference (must be 0.00)",
    ),
    "check_rounding": (
        "校验: 取整差超过半分的科目数 (应为 0)",
        "Check: charges whose rounding exceeds half a fen (must be 0)",
    ),
    "check_meters": ("校验: 计量点合计 − 96点合计 (应为 0)", "Check: meters − 96 points (must be 0)"),
    "check_bridge": ("校验: 差额 − 各原因合计 (应为 0.00)", "Check: difference − causes (must be 0.00)"),
    "bridge_note": (
        "按顺序逐组替换输入重新计算; 各原因之和等于差额, 尾差单列。",
        "Computed again with one group of inputs exchanged after another; causes add up to the difference.",
    ),
    "nothing_changed": ("与上版无差异。", "Nothing changed against the previous version."),
    "meter_id": ("计量点编号", "Meter"),
    "multiplier": ("倍率", "Multiplier"),
    "direction": ("方向", "Direction"),
    "days_read": ("有读数天数", "Days with readings"),
    "days_expected": ("应有天数", "Days expected"),
    "meters_note": (
        "结算所用读数 (含估算与替代); 用电为正, 上网为负。",
        "Readings as settled, estimates included; consumption positive, delivery negative.",
    ),
    "adjustment_id": ("调整编号", "Adjustment"),
    "payer": ("付方", "Payer"),
    "payee": ("收方", "Payee"),
    "adjustment_reason": ("理由", "Reason"),
    "entered_by": ("录入人", "Entered by"),
    "approver": ("审批人", "Approver"),
    "valid_from": ("生效日", "From"),
    "valid_to": ("失效日", "Until before"),
    "adjustment_state": ("状态", "State"),
    "adjustments_posted": ("已入账合计", "Posted"),
    "adjustments_note": (
        "每笔调整均有理由、证据、审批人与失效日; 未经审批的批次不能发布。",
        "Every adjustment has reason, evidence, approver and an end; a run with one that is not approved cannot pass.",
    ),
    "finding_state": ("处理", "State"),
    "finding_open": ("未结", "open"),
    "finding_said": ("告知", "for information"),
    "formula": ("公式", "Formula"),
    "rounding_rule": ("取整", "Rounding"),
    "schema_version": ("表格格式版本", "Version of the layout"),
    "date": ("日期", "Date"),
    "start": ("时段起", "From"),
    "end": ("时段止", "To"),
    "day_total": ("日合计", "Day"),
    "line_amount": ("明细金额", "Line amount"),
    "rounding": ("取整差", "Rounding"),
    "missing": ("缺失", "missing"),
    "none": ("无", "none"),
    "no_daily": (
        "本主体没有逐日科目; 月度分摊科目不分日。",
        "No charge of this participant has daily amounts; monthly shares have none.",
    ),
    "daily_note": (
        "逐日金额未取整; 科目在月末取整一次。月度分摊科目不分日。",
        "Daily amounts are not rounded; a line is rounded once a month. Monthly shares have no days.",
    ),
    "curve_note": (
        "计量电量(MWh), 时段为东八区 Asia/Shanghai (+08:00), 24:00 为当日终点。",
        "Metered energy (MWh), times in Asia/Shanghai (+08:00), 24:00 ends the day.",
    ),
    "curve_none": (
        "本主体没有计量曲线。",
        "There is no metered curve for this participant.",
    ),
    "severity": ("级别", "Severity"),
    "finding_code": ("代码", "Code"),
    "finding_name": ("异常", "Finding"),
    "finding_subject": ("对象", "Subject"),
    "sentence": ("说明", "What is odd"),
    "at_stake": ("涉及金额(元)", "At stake (yuan)"),
    "evidence": ("证据", "Evidence"),
    "no_findings": ("没有涉及本主体的异常。", "No finding concerns this participant."),
    "estimated_energy": ("估算或替代电量(MWh)", "Estimated or substituted (MWh)"),
    "file": ("文件", "File"),
    "rows": ("行数", "Rows"),
    "inputs": ("输入文件", "Inputs"),
    "outputs": ("输出文件", "Outputs"),
    # province
    "month_report": ("月度结算报告", "Monthly settlement report"),
    "balance": ("平衡校核", "Balance"),
    "what": ("项目", "What"),
    "value": ("数值", "Value"),
    "sum_postings": ("全部分录合计(元)", "Sum of all postings (yuan)"),
    "postings": ("分录数", "Postings"),
    "account": ("账户", "Account"),
    "opening": ("期初(元)", "Opening (yuan)"),
    "turnover": ("本期借方发生(元)", "Debits (yuan)"),
    "movement": ("本期净发生(元)", "Movement (yuan)"),
    "closing": ("期末(元)", "Closing (yuan)"),
    "closing_rule": ("关闭规则", "Closing rule"),
    "holds": ("结果", "Result"),
    "yes": ("平", "holds"),
    "no": ("不平", "fails"),
    "waiting": ("待补数据", "waits for data"),
    "participants_accounts": ("主体账户(合计)", "Participants' accounts (sum)"),
    "generation": ("省内上网电量", "Generation"),
    "import": ("省间购入电量", "Import"),
    "use": ("用电量", "Use"),
    "loss": ("网损电量", "Loss"),
    "use_side": ("用电侧电量", "Demand side"),
    "supply_side": ("供电侧电量", "Supply side"),
    "loss_rate": ("网损率", "Loss rate"),
    "energy_residual": ("上网 + 购入 − 用电 − 网损", "Generation + import − use − loss"),
    "charges": ("应付合计(元)", "Charges (yuan)"),
    "credits": ("应收合计(元)", "Credits (yuan)"),
    "net": ("净额(元)", "Net (yuan)"),
    "payers": ("应付主体数", "Payers"),
    "payees": ("应收主体数", "Receivers"),
    "participants": ("主体数", "Participants"),
    "lines": ("科目明细条数", "Lines"),
    "by_charge": ("按科目的电量与金额", "Energy and money by charge"),
    "by_kind": ("谁付谁收 (按主体类型, 万元)", "Who pays, who receives (by kind, 10,000 yuan)"),
    "by_kind_note": (
        "正数应付, 负数应收; 每行合计为该科目净额, 经所属账户与对方科目相抵。",
        "Positive pays, negative receives; a row sums to the charge's net, which its account closes.",
    ),
    "heat_map": ("全省逐日 96 点", "The province, day by quarter-hour"),
    "heat_cost": ("用电成本 (万元)", "Cost of use (10,000 yuan)"),
    "heat_use": ("用电量 (MWh)", "Use (MWh)"),
    "heat_price": ("用户侧实时价 (元/MWh)", "Real-time user price (yuan/MWh)"),
    "heat_note": (
        "成本 = 每 15 分钟全省用电量 × 用户侧实时统一价; 细线框为需求响应时段; 空白为缺失。",
        "Cost = the province's use in each quarter-hour × the unified real-time user price; thin frames are "
        "demand-response events; blank is missing.",
    ),
    "heat_none": (
        "本机没有该月计量曲线, 不绘图。",
        "This home holds no meter curves of the month, so there is no picture.",
    ),
    "owes_most": ("应付最多的主体", "Who owes the most"),
    "owed_most": ("应收最多的主体", "Who is owed the most"),
    "demand_response": ("需求响应", "Demand response"),
    "no_events": ("本月没有需求响应事件。", "There was no demand-response event this month."),
    "event": ("事件", "Event"),
    "window": ("时段", "Window"),
    "responders": ("有效/参与户数", "Valid / called"),
    "committed": ("约定容量(kW)", "Committed (kW)"),
    "committed_mw": ("约定容量(MW)", "Committed (MW)"),
    "confirmed_mw": ("确认容量(MW)", "Confirmed (MW)"),
    "responded": ("响应容量(kW)", "Responded (kW)"),
    "confirmed": ("确认容量(kW)", "Confirmed (kW)"),
    "response_rate": ("响应率", "Response rate"),
    "minutes": ("有效时长(min)", "Effective minutes"),
    "payment": ("补偿(元)", "Payment (yuan)"),
    "penalty": ("考核(元)", "Penalty (yuan)"),
    "cost": ("净费用(元)", "Net cost (yuan)"),
    "allocated": ("分摊(元)", "Charged (yuan)"),
    "benefit": ("受益(元)", "Benefit (yuan)"),
    "net_benefit": ("受益 ÷ 费用", "Benefit ÷ cost"),
    "scatter": ("受益与分摊", "Benefit against charge"),
    "scatter_note": (
        "每点为一个分摊主体本月全部事件的合计; 斜线上受益等于分摊。公平指数 (Jain) 按分摊/受益之比计算, 1 为完全一致。",
        "A point is one payer over all events of the month; on the line benefit equals charge. The fairness "
        "index (Jain) is taken over charge/benefit ratios; 1 is perfectly even.",
    ),
    "scatter_shown": (
        "图中为分摊最多的 {shown} 个主体, 共 {all} 个。",
        "Shown are the {shown} largest of {all}.",
    ),
    "fairness": ("公平指数", "Fairness index"),
    "equal_line": ("受益 = 分摊", "benefit = charge"),
    "findings": ("异常", "Findings"),
    "findings_by_city": ("地市异常", "Findings by city"),
    "findings_more": (
        "另有 {count} 条, 见全省汇总工作簿。",
        "{count} more stand in the province workbook.",
    ),
    "no_findings_month": ("本月没有异常。", "There are no findings this month."),
    "heat_residual": ("网损: 上网 + 购入 − 用电 (MWh)", "Loss: generation + import − use (MWh)"),
    "heat_estimated": ("估算或替代电量占比 (%)", "Estimated share of energy (%)"),
    "statement_of_month": ("月度结算说明", "Statement on the month"),
    "say_what": ("结算内容", "What"),
    "say_changes": ("变化", "Changes"),
    "say_warnings": ("提示", "Warnings"),
    "say_signed": ("签署", "Sign-offs"),
    "waterfall": (
        "用户侧应付净额: 由上版到本版 (元)",
        "Net of users: from the previous version to this one (yuan)",
    ),
    "waterfall_note": (
        "纵轴自变化区间起, 不从零起; 尾差始终列出。供电侧与两侧合计见表。",
        "The axis begins at what moved and not at zero; rounding is always there. Suppliers and both sides in the table.",
    ),
    "step": ("步骤", "Step"),
    "users_side": ("用户侧净额(元)", "Net of users (yuan)"),
    "suppliers_side": ("供电侧净额(元)", "Net of suppliers (yuan)"),
    "both_sides": ("两侧合计(元)", "Both sides (yuan)"),
    "lines_moved": ("明细条数", "Lines"),
    "bridge_by_charge": ("按科目", "By charge"),
    "unbridged_note": ("与上版的差异未能按原因拆分", "The change against the previous version has no causes"),
    "passed": ("自动通过", "Passed by themselves"),
    "pass_share": ("自动通过率", "Share passed"),
    "open_count": ("未结", "Open"),
    "owner": ("责任方", "Owner"),
    "due": ("应完成", "Due"),
    "expected_day": ("预计", "Expected"),
    "slip": ("拖延(天)", "Late by (days)"),
    "held_by": ("受制于", "Held by"),
    "critical": ("关键路径", "Critical path"),
    "unknown_day": ("待定", "open"),
    "late_feeds": ("迟到或缺失的数据", "Feeds that came late or lack something"),
    "feed": ("数据", "Feed"),
    "arrived": ("到齐", "Whole on"),
    "late_days": ("迟到(天)", "Days late"),
    "moved_energy": ("涉及电量(MWh)", "Energy moved (MWh)"),
    "unpriced": ("无价变更数", "Changes without a price"),
    "lacking": ("待补项", "Still lacking"),
    "after_run": ("已有批次", "Run made before"),
    "all_in_time": ("全部数据按期到达。", "Every feed was in time."),
    "loaded_later": (
        "本月数据均在账单日之后补录, 关账进度不作评价; 下为应完成日期。",
        "This month was loaded after its bills were due, so its close is not judged; below is when each gate was due.",
    ),
    "close_note": (
        "涉及金额为迟到数据所改变的已计价金额; 无价变更单列, 不计为零。关键路径为决定账单日期的各环节。",
        "At stake is the priced money that late rows moved; changes without a price are counted apart, not as zero. "
        "The critical path is what decides the day of the bills.",
    ),
    "close_calendar": ("关账日历", "Close calendar"),
    "milestone": ("事项", "Step"),
    "working_day": ("工作日", "Working day"),
    "working_day_n": ("第 {n} 个工作日", "working day {n}"),
    "weekday": ("星期", "Weekday"),
    "uncertain_rules": ("规则依据不确定项", "Rules whose source is uncertain"),
    "uncertain_note": (
        "以下规则或参数不是取自已读到的规则原文, 使用前请确认。",
        "These rules or parameters were not read in a rule text; confirm them before relying on them.",
    ),
    "rule": ("规则或科目", "Rule or charge"),
    "unit": ("单位", "Unit"),
    "certainty": ("依据程度", "Certainty"),
    "source": ("出处", "Source"),
    "bridge": ("与上版差异", "Against the previous version"),
    "bridge_changed": ("变化主体数", "Participants changed"),
    "blocked_note": (
        "本批次有阻断异常, 处理或具名豁免前不能审批; 缺失科目未入账。",
        "This run has blocking findings and cannot be approved before they are resolved or waived by name; "
        "missing lines are not posted.",
    ),
    "profile_changed": (
        "注意: 随软件提供的规则文件与本批次所用的不同, 科目名称与依据程度取自现有文件。",
        "Note: the packaged profile is no longer the one this run used; names and certainties are those of the "
        "packaged one.",
    ),
    "rank": ("序", "#"),
    "printed_from": (
        "本页全部数字来自上述批次文件; 指纹为各输出文件哈希的哈希。",
        "Every figure on this page comes from the run named above; the fingerprint is a hash over the hashes of its files.",
    ),
    **RECONCILE_WORDS,
    **AUDIT_WORDS,
}

KINDS: Mapping[str, tuple[str, str]] = {
    "wholesale_user": ("批发用户", "wholesale user"),
    "retailer": ("售电公司", "retailer"),
    "retail_user": ("零售用户", "retail user"),
    "agency_user": ("代理购电用户", "agency user"),
    "residents": ("居民农业", "residents"),
    "generator": ("发电企业", "generator"),
    "storage": ("储能", "storage"),
    "vpp": ("虚拟电厂", "virtual power plant"),
    "grid_company": ("电网企业", "grid company"),
    "channel_owner": ("输电通道", "channel owner"),
    "fund": ("基金", "fund"),
    "outside": ("省外主体", "other provinces"),
}

RUN_KINDS: Mapping[str, tuple[str, str]] = {
    "draft": ("核对版", "draft"),
    "final": ("正式版", "final"),
    "correction": ("追退补", "correction"),
}

STATUSES: Mapping[str, tuple[str, str]] = {
    "ready": ("草稿", "draft, ready for review"),
    "blocked": ("草稿 (有阻断异常)", "draft, blocked by findings"),
    "checked": ("地市已审核", "checked by the cities"),
    "approved": ("已复核", "approved"),
    "rejected": ("已退回", "rejected"),
    "published": ("已锁定", "published and locked"),
}

SEVERITIES: Mapping[str, tuple[str, str]] = {
    "block": ("阻断", "block"),
    "review": ("待核", "review"),
    "inform": ("告知", "inform"),
}

CERTAINTIES: Mapping[str, tuple[str, str]] = {
    "rule_text": ("规则原文", "rule text read"),
    "secondary": ("二手资料", "secondary source"),
    "authors_reading": ("作者解读", "authors' reading"),
    "design": ("设计假定", "design assumption"),
}

MOVED: Mapping[str, tuple[str, str]] = {
    "": ("", ""),
    "unchanged": ("无变化", "unchanged"),
    "quantity": ("电量变化", "energy changed"),
    "price": ("均价变化", "mean price changed"),
    "quantity_and_price": ("电量与均价变化", "energy and mean price changed"),
    "share": ("分摊变化", "share changed"),
    "new_line": ("新增科目", "new line"),
    "dropped_line": ("取消科目", "line dropped"),
    "missing_before": ("上版缺失", "missing before"),
    "missing_now": ("本版缺失", "missing now"),
}

DEEDS: Mapping[str, tuple[str, str]] = {
    "finding.resolve": ("已处理", "resolved by"),
    "finding.waive": ("已豁免", "waived by"),
    "adjustment.approve": ("已审批", "approved by"),
}

ADJUSTMENTS: Mapping[str, tuple[str, str]] = {
    "pending": ("已入账, 待审批", "posted, to be approved"),
    "approved": ("已入账, 已审批", "posted and approved"),
    "refused": ("不成立, 未入账", "refused, not posted"),
}

DIRECTIONS: Mapping[str, tuple[str, str]] = {
    "1": ("用电", "consumes"),
    "-1": ("上网", "delivers"),
}

FEEDS: Mapping[str, tuple[str, str]] = {
    "meter_readings": ("分时读数", "readings"),
    "meter_quality": ("读数质量", "quality of readings"),
    "prices": ("电价", "prices"),
    "positions": ("申报与出清电量", "positions"),
    "contract_curves": ("合同曲线", "contract curves"),
    "system": ("系统数据", "system series"),
    "atc": ("可用输电能力", "transfer capability"),
}

TRANCHES: Mapping[str, tuple[str, str]] = {
    "benefit": ("按受益分摊(元)", "Charged by benefit (yuan)"),
    "residual": ("余额分摊(元)", "Residual charged (yuan)"),
    "consumption": ("按电量分摊(元)", "Charged by consumption (yuan)"),
    "users_and_nonmarket_generation": (
        "按用户与非市场电量分摊(元)",
        "Charged by users' and non-market energy (yuan)",
    ),
    "positive_deviation": ("按正偏差分摊(元)", "Charged by positive deviation (yuan)"),
}

MILESTONES: Mapping[str, tuple[str, str]] = {
    "month_end": ("结算月结束", "Month ends"),
    "draft": ("发布核对版", "Draft published"),
    "confirm": ("主体确认 (不回复视为同意)", "Participants confirm (silence agrees)"),
    "verify": ("核实异议", "Objections verified"),
    "final": ("发布正式结算依据", "Final settlement basis"),
    "bills": ("出具电费账单", "Bills issued"),
}

WEEKDAYS = (
    ("一", "Mon"),
    ("二", "Tue"),
    ("三", "Wed"),
    ("四", "Thu"),
    ("五", "Fri"),
    ("六", "Sat"),
    ("日", "Sun"),
)

CITIES: Mapping[str, tuple[str, str]] = {
    "jinan": ("济南", "Jinan"),
    "qingdao": ("青岛", "Qingdao"),
    "zibo": ("淄博", "Zibo"),
    "zaozhuang": ("枣庄", "Zaozhuang"),
    "dongying": ("东营", "Dongying"),
    "yantai": ("烟台", "Yantai"),
    "weifang": ("潍坊", "Weifang"),
    "jining": ("济宁", "Jining"),
    "taian": ("泰安", "Tai'an"),
    "weihai": ("威海", "Weihai"),
    "rizhao": ("日照", "Rizhao"),
    "linyi": ("临沂", "Linyi"),
    "dezhou": ("德州", "Dezhou"),
    "liaocheng": ("聊城", "Liaocheng"),
    "binzhou": ("滨州", "Binzhou"),
    "heze": ("菏泽", "Heze"),
    "province": ("省级", "province"),
}

FINDINGS: Mapping[str, tuple[str, str]] = {
    "agreed_energy_missing": ("约定电量缺失", "agreed energy missing"),
    "award_at_two_levels": ("两级重复中标", "award at two levels"),
    "appeal_not_admissible": ("申诉不予受理", "appeal not admissible"),
    "appeal_open": ("申诉未结", "open appeal"),
    "cancellation_too_late": ("取消晚于开始", "cancelled after the start"),
    "capacity_fee_reading": ("容量补偿口径", "how the capacity fee is counted"),
    "capacity_by_output_open": ("按出力计容量未公布", "capacity by output not published"),
    "capacity_factors_open": ("容量分时系数未公布", "capacity factors not published"),
    "error_tariff_not_applied": ("差错电价规则未应用", "tariff of errors not applied"),
    "event_cancelled": ("事件已取消", "event called off"),
    "fund_month": ("专项资金收支", "month of a fund"),
    "award_without_enrolment": ("有中标无签约", "award without enrolment"),
    "basic_fee_unknown": ("基本电费方式不明", "basic fee unknown"),
    "month_without_registers": ("未送达示数, 不做月度调平", "no registers, no month-end adjustment"),
    "register_missing": ("起止示数不全, 不做月度调平", "meter without reads at both ends of the month"),
    "bills_without_tariffs": ("未提供电价表, 未出用户账单", "no tariffs, no bills"),
    "capacity_missing": ("变压器容量缺失", "capacity missing"),
    "counterfactual_is_a_model": ("反事实电价为模型值", "counterfactual price is a model"),
    "daily_price_cap_applied": ("日均价限价折算", "daily price cap applied"),
    "demand_missing": ("最大需量缺失", "maximum demand missing"),
    "duplicate_trade": ("省间成交重复", "trade stands twice"),
    "economic_event_not_shared": ("经济型事件不分摊", "economic event not shared"),
    "executed_above_cleared": ("执行电力超出清", "executed above cleared"),
    "fund_unknown": ("基金收款方不明", "fund unknown"),
    "green_carry_missing": ("绿证结转缺失", "carried green energy missing"),
    "kind_not_settled": ("主体类型未结算", "kind not settled"),
    "clearing_differs": ("成交与重新出清不符", "trades differ from clearing again"),
    "clearing_not_repeated": ("无法重新出清", "clearing not repeated"),
    "landed_price_differs": ("落地价与路径计算不符", "landed price differs"),
    "loss_out_of_range": ("网损率越限", "loss out of range"),
    "method_fixed_after_call": ("基线方法晚于邀约确定", "baseline method fixed after the call"),
    "manual_adjustment": ("人工调整待审批", "manual adjustments to be approved"),
    "manual_adjustment_refused": ("人工调整不成立", "manual adjustments that cannot be posted"),
    "missing_amount": ("科目金额缺失", "missing amounts"),
    "missing_contract_curve": ("合同曲线缺失", "contract curve missing"),
    "missing_meter_day": ("整日读数缺失", "meter day missing"),
    "missing_position": ("日前申报缺失", "position missing"),
    "missing_price": ("电价缺失", "price missing"),
    "missing_reading": ("读数缺口", "gaps in readings"),
    "pool_without_key": ("费用无承担主体", "a pool finds no payer"),
    "storage_charging_without": ("储能充电电量不缴科目", "what storages do not pay on charging"),
    "storage_outside_market": ("储能列有非市场电量", "share outside the market for a storage"),
    "standard_missing": ("分摊标准缺失", "published standard with gaps"),
    "standard_not_used": ("分摊标准未使用", "published standard not used"),
    "standard_published_late": ("分摊标准公布过晚", "standard published late"),
    "fee_not_in_profile": ("费用不在规则内", "fee the rules do not have"),
    "adjustment_without_price": ("调平无均价", "month-end adjustment without a price"),
    "residents_sale_missing": ("居民售电价缺失", "residents' sales price missing"),
    "profile_before_its_date": ("规则早于生效日套用", "rules applied before their date"),
    "package_code_odd": ("套餐编码不规范", "package code odd"),
    "package_incomplete": ("套餐要素不全", "package incomplete"),
    "package_missing": ("零售用户无有效套餐", "no package in effect"),
    "package_of_other_retailer": ("套餐不属所在售电公司", "package of another retailer"),
    "package_takes_effect_next_month": ("套餐次月生效", "package takes effect next month"),
    "package_terms_read": ("套餐条款按本系统理解", "package terms as read here"),
    "passthrough_key_zero": ("分摊依据为零", "nothing to share the gain or loss by"),
    "path_without_section": ("路径缺少区段", "path without section"),
    "error_tariff_applied": ("差错电量按月度总量调整", "error adjusts the monthly total"),
    "error_by_quarter_hour": ("差错电量按分时重算", "error settled in its quarter-hours"),
    "no_draft_was_billed": ("核对版未审批，按正式版出账", "no draft was billed"),
    "correction_waiting": ("追退补待审批", "correction waits for approval"),
    "unified_price_kept": ("统一结算点电价不予更改", "unified price kept"),
    "price_out_of_limits": ("电价越限", "price out of limits"),
    "reactive_missing": ("无功电量缺失", "reactive energy missing"),
    "residents_without_tiers": ("居民电价未分档", "residents without tiers"),
    "response_not_settled": ("响应无法结算", "response not settled"),
    "retailer_unknown": ("售电公司不明", "retailer unknown"),
    "same_province_trade": ("同省成交", "trade within one province"),
    "standard_without_table": ("力调标准无对应表", "standard without a table"),
    "tariff_missing": ("电价缺失(电价表)", "tariff missing"),
    "tariff_stands_in": ("以他时他省电价代替", "another tariff stands in"),
    "tariff_effective_later": ("输电价生效日晚于结算日", "tariff effective later"),
    "time_of_use_missing": ("分时时段缺失", "time-of-use periods missing"),
    "trade_buyer_not_settled": ("成交买方未结算", "buyer of trade not settled"),
    "trade_ends_elsewhere": ("成交不落在本省", "trade ends in another province"),
    "trade_loss_differs": ("成交网损与路径不符", "loss of trade differs"),
    "trade_off_its_path": ("成交与路径不符", "trade off its path"),
    "trade_price_out_of_limits": ("成交价越限", "trade price out of limits"),
    "trades_cut": ("成交调减", "trades cut"),
    "unsettled_contract_curves": ("合同曲线无归属", "contract curve settled by nobody"),
    "unsettled_meter_readings": ("读数无归属", "readings settled by nobody"),
    "unsettled_positions": ("申报无归属", "position settled by nobody"),
    **READING_FINDINGS,
    **AUDIT_FINDINGS,
    **RECONCILE_FINDINGS,
}


class Labels:
    """The words of one language. A name that no table knows is shown as it is (ids, new finding codes)."""

    def __init__(self, lang: str = "zh") -> None:
        if lang not in LANGUAGES:
            raise ValueError(
                f"{lang!r} is not a language of the reports; choose one of {', '.join(LANGUAGES)}."
            )
        self.lang = lang
        self._column = LANGUAGES.index(lang)

    def __call__(self, word: str, **values: object) -> str:
        """A word of the reports; KeyError for one that is not in the table."""
        text = WORDS[word][self._column]
        return text.format(**values) if values else text

    def of(self, table: Mapping[str, tuple[str, str]], name: str | None) -> str:
        """The label of a code, the code itself where the table has none, empty for None."""
        if name is None:
            return ""
        return table[name][self._column] if name in table else name

    def sentence(self, code: str, sentence: str) -> str:
        """A finding's sentence in this language; findings are written in English."""
        return in_chinese(code, sentence) if self.lang == "zh" else sentence

    def closing_rule(self, rule: str) -> str:
        """The rule by which a clearing account closes; profiles write it in English."""
        return rule_in_chinese(rule) if self.lang == "zh" else rule

    def city(self, name: str | None) -> str:
        """The city's name; the province where a row has no city."""
        return self.of(CITIES, name or "province")

    def weekday(self, number: int) -> str:
        """0 is Monday."""
        return WEEKDAYS[number][self._column]
