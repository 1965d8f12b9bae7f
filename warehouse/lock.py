"""One writer at a time in a home."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from warehouse.home import Home

SETTLEMENT = "settlement"  # held by whoever makes a run, and by who decides what the next one takes over


class HomeBusyError(TimeoutError):
    """Another process held the lock for longer than the caller would wait."""


@contextmanager
def exclusive(home: Home, name: str, timeout: float = 600.0) -> Iterator[None]:
    """Hold the lock ``name`` of this home; it falls with the process, however that ends.

    timeout: seconds to wait for another holder. Raises HomeBusyError after that.
    """
    home.locks.mkdir(parents=True, exist_ok=True)
    path = home.locks / f"{name}.lock"
    try:
        with FileLock(path, timeout=timeout):
            yield
    except Timeout as busy:
        raise HomeBusyError(
            f"Another process is at work on {name!r} in {home.root} and has not finished within "
            f"{timeout:g} s; wait for it and try again."
        ) from busy
