"""``gridsettle review``: what past bids cost more than they had to, and why."""

from __future__ import annotations

from datetime import date

from commands.terminal import Lang, Language, out


def review(period: str, lang: Lang = Language.ZH) -> None:
    """事后分析 / hindsight of a day (YYYY-MM-DD) or month (YYYY-MM): regret by cause, gain, accuracy."""
    from jobs.review import review_day, review_month
    from market.periods import Month
    from warehouse.home import home

    made = (
        review_month(home(), Month.parse(period))
        if len(period) == len("YYYY-MM")
        else review_day(home(), date.fromisoformat(period))
    )
    for line in made.lines(lang):
        out.print(line)
