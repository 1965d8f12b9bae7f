"""月度结算说明: what was settled, what changed, what to look at and who has signed, in sentences with their figures."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from reports.bridge_text import CAUSES
from reports.close_plan import ClosePlan
from reports.content import RunContent
from reports.labels import RUN_KINDS, SEVERITIES, STATUSES, Labels
from reports.month_numbers import CityWork, EnergyBalance, MoneyBalance
from reports.version_steps import Step

TEXTS = {
    "what": (
        "{month} {kind}（{alias}）按规则 {profile} 结算 {participants} 个主体、{lines} 条科目明细：用电 {use} MWh，"
        "应付 {charges} 元，应收 {credits} 元；全部分录合计 {postings} 元。",
        "{month}, {kind} ({alias}), settles {participants} participants with {lines} lines under {profile}: use {use} MWh, "
        "{charges} yuan to be paid, {credits} yuan to be received; all postings sum to {postings} yuan.",
    ),
    "closes": (
        "清算账户全部按规则关闭，上网与购入电量等于用电加网损（网损率 {loss}）。",
        "Every clearing account closes by its rule; generation and import are use and loss (loss rate {loss}).",
    ),
    "does_not_close": (
        "有清算账户未按规则关闭或电量不平，见平衡校核。",
        "A clearing account or the energy does not close; see the balance.",
    ),
    "first": ("本月没有更早的版本。", "There is no version before this one."),
    "changed": (
        "较 {previous}，用户侧应付变化 {users} 元，供电侧变化 {suppliers} 元；按原因：{causes}。",
        "Against {previous} users pay {users} yuan more, suppliers {suppliers}; by cause: {causes}.",
    ),
    "unbridged": (
        "与 {previous} 的差异未能按原因拆分：{why}",
        "The change against {previous} has no causes: {why}",
    ),
    "cause": ("{cause} {amount} 元", "{cause} {amount} yuan"),
    "missing": (
        "{count} 条科目缺失金额、未入账，补齐前不能审批。",
        "{count} lines have no amount and are not posted; the run cannot be approved before they have one.",
    ),
    "open": ("未结异常 {counts}，涉及金额 {stake} 元。", "Open findings: {counts}, {stake} yuan at stake."),
    "clean": (
        "没有未结异常；{share} 的主体自动通过。",
        "No finding is open; {share} of the participants passed by themselves.",
    ),
    "by_hand": ("人工调整 {count} 笔，共 {amount} 元。", "{count} manual adjustments, {amount} yuan."),
    "late": (
        "{count} 项数据迟到或缺失，涉及 {amount} 元；账单预计 {bills}，应于 {due}。",
        "{count} feeds are late or lack something, {amount} yuan; bills are expected {bills} and due {due}.",
    ),
    "in_time": ("数据均按期到达，账单应于 {due} 出具。", "Every feed was in time; bills are due {due}."),
    "unknown": ("待定", "open"),
    "signed": ("状态：{status}。{hands}", "Status: {status}. {hands}"),
    "nobody": ("尚无人审核、审批或发布。", "Nobody has checked, approved or published it yet."),
}


def month_statement(
    content: RunContent,
    words: Labels,
    money: MoneyBalance,
    energy: EnergyBalance,
    sums: tuple[Decimal, Decimal],
    steps: Sequence[Step],
    cities: Sequence[CityWork],
    plan: ClosePlan | None,
) -> list[tuple[str, list[str]]]:
    """(heading, sentences): what, changes, warnings, sign-offs. sums: charges and credits."""

    def say(text: str, **values: object) -> str:
        return TEXTS[text][words.lang != "zh"].format(**values)

    head = content.head
    totals = head.manifest["totals"]
    closes = money.holds and energy.residual == 0
    what = [
        say(
            "what",
            month=head.month,
            kind=words.of(RUN_KINDS, head.kind),
            alias=head.alias,
            profile=head.manifest["profile"],
            participants=f"{len(content.lines):,}",
            lines=f"{totals['lines']:,}",
            use=words("missing") if energy.use is None else f"{energy.use:,.3f}",
            charges=f"{sums[0]:,.2f}",
            credits=f"{sums[1]:,.2f}",
            postings=f"{money.postings_sum:,.2f}",
        ),
        say("closes", loss="–" if energy.loss_rate is None else f"{energy.loss_rate:.2%}")
        if closes
        else say("does_not_close"),
    ]
    signed = ("，" if words.lang == "zh" else ", ").join(f"{words(stage)} {who}" for stage, who in head.hands)
    return [
        (words("say_what"), what),
        (words("say_changes"), [_changes(content, steps, words, say)]),
        (words("say_warnings"), _warnings(content, cities, plan, words, say)),
        (
            words("say_signed"),
            [say("signed", status=words.of(STATUSES, head.status), hands=signed or say("nobody"))],
        ),
    ]


def _changes(content: RunContent, steps: Sequence[Step], words: Labels, say) -> str:  # type: ignore[no-untyped-def]
    previous = content.head.previous_alias
    if content.previous is None:
        return str(say("first"))
    if not steps:
        return str(say("unbridged", previous=previous, why=content.unbridged))
    moved = sorted(steps[1:-1], key=lambda step: -abs(step.users))
    causes = words("list_comma").join(
        say("cause", cause=words.of(CAUSES, step.name), amount=f"{step.users:+,.2f}") for step in moved
    )
    return str(
        say(
            "changed",
            previous=previous,
            users=f"{steps[-1].users - steps[0].users:+,.2f}",
            suppliers=f"{steps[-1].suppliers - steps[0].suppliers:+,.2f}",
            causes=causes,
        )
    )


def _warnings(
    content: RunContent, cities: Sequence[CityWork], plan: ClosePlan | None, words: Labels, say
) -> list[str]:  # type: ignore[no-untyped-def]
    said = []
    missing = content.head.manifest["totals"]["missing_lines"]
    if missing:
        said.append(say("missing", count=missing))
    waiting = [one for one in content.findings if content.is_open(one)]
    if waiting:
        counts = words("list_comma").join(
            f"{words.of(SEVERITIES, severity)} {count}"
            for severity in SEVERITIES
            if (count := sum(one.severity == severity for one in waiting))
        )
        stake = sum(
            (abs(one.amount_at_stake_cny) for one in waiting if one.amount_at_stake_cny), Decimal("0.00")
        )
        said.append(say("open", counts=counts, stake=f"{stake:,.2f}"))
    else:
        passed, everybody = sum(city.passed for city in cities), sum(city.participants for city in cities)
        said.append(say("clean", share=f"{passed / everybody:.2%}" if everybody else "–"))
    if content.adjustments:
        amount = sum((one.amount_cny for one in content.adjustments), Decimal("0.00"))
        said.append(say("by_hand", count=len(content.adjustments), amount=f"{amount:,.2f}"))
    if plan is not None:
        bills = plan.gates[-1]
        if plan.feeds:
            amount = sum((abs(feed.amount_cny) for feed in plan.feeds), Decimal("0.00"))
            said.append(
                say(
                    "late",
                    count=len(plan.feeds),
                    amount=f"{amount:,.2f}",
                    bills=bills.expected or say("unknown"),
                    due=bills.deadline.day,
                )
            )
        else:
            said.append(say("in_time", due=bills.deadline.day))
    return said
