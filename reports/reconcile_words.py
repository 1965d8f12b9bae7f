"""The words of a reconciliation: verdicts, heads and finding codes."""

from __future__ import annotations

from collections.abc import Mapping

VERDICTS: Mapping[str, tuple[str, str]] = {
    "agrees": ("一致", "agrees"),
    "missing_there": ("对方缺", "missing there"),
    "missing_here": ("我方缺", "missing here"),
    "ours_unknown": ("我方金额待补", "our amount is missing"),
    "other_quantity": ("电量不符", "other energy"),
    "other_price": ("电价不符", "other price"),
    "other_amount": ("电量相同金额不符", "other amount"),
    "other_quantity_and_price": ("电量电价均不符", "other energy and price"),
    "sign_reversed": ("正负相反", "sign reversed"),
    "duplicate_row": ("重复计入", "counted again"),
    "swapped": ("主体互换", "participants swapped"),
    "factor": ("倍数关系", "constant factor"),
    "factor_of_many": ("成批倍数关系", "constant factor of many lines"),
    "adds_up": ("小额差异累计", "small differences add up"),
    "drift": ("差异单边", "differences lean one way"),
    "unknown_code": ("科目编码未知", "unknown code"),
}

RECONCILE_FINDINGS: Mapping[str, tuple[str, str]] = {
    f"reconcile_{verdict}": (f"对账: {zh}", f"reconciliation: {en}")
    for verdict, (zh, en) in VERDICTS.items()
    if verdict != "agrees"
}

RECONCILE_WORDS: Mapping[str, tuple[str, str]] = {
    "reconciliation": ("结算依据对账", "Reconciliation with the trading centre"),
    "sheet_differences": ("差异", "Differences"),
    "sheet_compared": ("全部对比", "All comparisons"),
    "verdict": ("结论", "Verdict"),
    "our_quantity": ("我方电量(MWh)", "Our energy (MWh)"),
    "their_quantity": ("对方电量(MWh)", "Their energy (MWh)"),
    "our_amount": ("我方金额(元)", "Our amount (yuan)"),
    "their_amount": ("对方金额(元)", "Their amount (yuan)"),
    "their_difference": ("差额: 对方 − 我方(元)", "Theirs − ours (yuan)"),
    "partner": ("互换主体", "Swapped with"),
    "compared_lines": ("对比条数", "Lines compared"),
    "compared_note": (
        "差额为对方减我方; 明细按主体与科目, 对方合并列示的科目按合计对比, 不比电量。",
        "The difference is theirs less ours; charges that the centre states as one sum are compared as sums, without energy.",
    ),
}
