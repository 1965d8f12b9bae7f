"""How a job reports progress without knowing who watches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

Item = TypeVar("Item")


class Progress(Protocol):
    """Wraps an iterable; the command line shows a bar, a DAG task shows nothing."""

    def __call__(self, items: Iterable[Item], label: str, *, total: int) -> Iterable[Item]:
        """Yield the items, telling how far it is."""
        ...


def silent(items: Iterable[Item], label: str, *, total: int) -> Iterator[Item]:
    """No display."""
    del label, total
    yield from items
