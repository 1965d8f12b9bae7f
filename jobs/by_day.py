"""The days of a month on all cores: what is done with one day is done beside the others and handed over in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from datetime import date
from queue import SimpleQueue
from typing import TypeVar

import pyarrow as pa

Reader = TypeVar("Reader")
Result = TypeVar("Result")
WORKERS = os.cpu_count() or 1


def by_day(
    days: Sequence[date],
    reader: Callable[[], AbstractContextManager[Reader]],
    work: Callable[[Reader, date], Result],
    workers: int | None = None,
) -> Iterator[Result]:
    """``work`` of every day, in the order of days. workers: None for one a core.

    Threads do: Arrow and numpy let go of the interpreter. Every worker has a reader of its own, and work must write
    nothing that two days share. At most one result more than there are workers waits for its turn. What a day raises is
    raised where its result is due.
    """
    with ExitStack() as stack:
        stack.callback(
            pa.default_memory_pool().release_unused
        )  # what Arrow keeps for a next day that does not come
        count = min(WORKERS if workers is None else workers, len(days))
        readers = [stack.enter_context(reader()) for _ in range(count)]
        if count < 2:
            yield from (work(readers[0], day) for day in days)
            return
        free: SimpleQueue[Reader] = SimpleQueue()
        for one in readers:
            free.put(one)

        def done(day: date) -> Result:
            mine = free.get()
            try:
                return work(mine, day)
            finally:
                free.put(mine)

        threads = ThreadPoolExecutor(count, "days")
        stack.callback(threads.shutdown, cancel_futures=True)
        waiting: deque[Future[Result]] = deque()
        for day in days:
            if len(waiting) > count:
                yield waiting.popleft().result()
            waiting.append(threads.submit(done, day))
        while waiting:
            yield waiting.popleft().result()
