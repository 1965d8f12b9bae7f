"""What all pages have in common: text is escaped, and a name that a page does not fill is an error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

MONEY = "{:,.2f}".format
WHOLE = "{:,.0f}".format
ONE = "{:,.1f}".format
THREE = "{:,.3f}".format
PERCENT = "{:.2%}".format


def template(name: str, **filters: Callable[[Any], str]) -> Template:
    """The template ``reports/templates/NAME.html.j2`` with the filters of its page. Raises TemplateNotFound."""
    environment = Environment(
        loader=PackageLoader("reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= filters
    return environment.get_template(f"{name}.html.j2")
