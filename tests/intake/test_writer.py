"""Group commit: one write for what came together, an answer only after it, and an honest 503 when it cannot be."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

import pytest

from midwatch.intake import writer as module
from midwatch.intake.records import EVENT, LogError, Row
from midwatch.intake.writer import FullError, Writer


def row(number: int, body: bytes = b"{}") -> Row:
    return (f"{number:032x}", 1, EVENT, 1_700_000_000_000_000 + number, "application/json", "", body)


class FakeStore:
    """A log in memory whose writes wait for permission, and fail when told to."""

    def __init__(self) -> None:
        self.batches: list[list[Row]] = []
        self.may_write = threading.Event()
        self.may_write.set()
        self.is_writing = threading.Event()
        self.failure: LogError | None = None
        self.checks = 0
        self.prunes: list[datetime] = []
        self.is_closed = False

    def open(self) -> None: ...

    def write(self, rows: Sequence[Row]) -> None:
        self.is_writing.set()
        assert self.may_write.wait(30)
        if self.failure is not None:
            raise self.failure
        self.batches.append(list(rows))

    def check(self) -> None:
        self.checks += 1
        if self.failure is not None:
            raise self.failure

    def prune(self, before: datetime, limit: int) -> int:
        self.prunes.append(before)
        return 0

    def close(self) -> None:
        self.is_closed = True


def with_writer(
    work: Callable[[Writer, FakeStore], Awaitable[None]], store: FakeStore | None = None, queue_max: int = 1_000
) -> FakeStore:
    used = store or FakeStore()

    async def main() -> None:
        writer = Writer(used, queue_max=queue_max, retention=timedelta(days=14))
        writer.start()
        await writer.opened(5)
        try:
            await asyncio.wait_for(work(writer, used), 20)
        finally:
            used.may_write.set()
            assert await writer.stop(5)

    asyncio.run(main())
    assert used.is_closed
    return used


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.005)


def test_what_comes_while_a_batch_is_written_forms_the_next() -> None:
    async def work(writer: Writer, store: FakeStore) -> None:
        store.may_write.clear()
        first = writer.submit(row(0))
        await until(store.is_writing.is_set)
        others = [writer.submit(row(number)) for number in range(1, 51)]
        await asyncio.sleep(0.02)
        assert not first.done()  # nobody is answered before the commit
        store.may_write.set()
        await asyncio.gather(first, *others)

    store = with_writer(work)
    assert [len(batch) for batch in store.batches] == [1, 50]
    assert [r[0] for batch in store.batches for r in batch] == [row(number)[0] for number in range(51)]


def test_requests_of_one_turn_of_the_loop_share_a_commit() -> None:
    async def work(writer: Writer, store: FakeStore) -> None:
        await asyncio.gather(*[writer.submit(row(number)) for number in range(100)])

    assert [len(batch) for batch in with_writer(work).batches] == [100]


def test_batches_have_limits() -> None:
    async def work(writer: Writer, store: FakeStore) -> None:
        await asyncio.gather(*[writer.submit(row(number)) for number in range(module.ROWS_A_BATCH_MAX + 1)])
        large = b"x" * (module.BYTES_A_BATCH_MAX // 2)
        await asyncio.gather(*[writer.submit(row(number, large)) for number in range(3)])

    assert [len(batch) for batch in with_writer(work).batches] == [module.ROWS_A_BATCH_MAX, 1, 2, 1]


def test_full_means_come_back_later() -> None:
    async def work(writer: Writer, store: FakeStore) -> None:
        store.may_write.clear()
        first = writer.submit(row(0))
        await until(store.is_writing.is_set)
        waiting = [writer.submit(row(number)) for number in range(10)]
        with pytest.raises(FullError, match="too many"):
            writer.submit(row(99))
        store.may_write.set()
        await asyncio.gather(first, *waiting)
        await writer.submit(row(100))

    with_writer(work, queue_max=10)


def test_bytes_have_a_limit_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BYTES_QUEUED_MAX", 1_000)

    async def work(writer: Writer, store: FakeStore) -> None:
        store.may_write.clear()
        waiting = [writer.submit(row(0, b"x" * 900)), writer.submit(row(1, b"x" * 900))]
        with pytest.raises(FullError):
            writer.submit(row(2))
        store.may_write.set()
        await asyncio.gather(*waiting)
        await writer.submit(row(3))  # accounted for, also after a client went away
        gone = writer.submit(row(4, b"x" * 2_000))
        gone.cancel()
        await until(lambda: len(store.batches) == 3)
        await asyncio.sleep(0.02)
        await writer.submit(row(5))

    with_writer(work)


def test_a_failed_write_is_told_and_the_log_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHECK_SECONDS", 0.02)

    async def work(writer: Writer, store: FakeStore) -> None:
        await writer.submit(row(0))
        store.failure = LogError("the disk is full")
        with pytest.raises(LogError, match="the disk is full"):
            await writer.submit(row(1))
        assert writer.problem == "the disk is full"
        with pytest.raises(FullError, match="the disk is full"):
            writer.submit(row(2))  # at once, without another try
        store.failure = None
        await until(lambda: not writer.problem)
        await writer.submit(row(3))

    store = with_writer(work)
    assert [r[3] % 10 for batch in store.batches for r in batch] == [0, 3]


def test_a_log_that_cannot_be_opened_is_a_problem_until_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHECK_SECONDS", 0.02)
    store = FakeStore()
    store.failure = LogError("no such directory")

    async def work(writer: Writer, store: FakeStore) -> None:
        assert writer.problem == "no such directory"
        store.failure = None
        await until(lambda: not writer.problem)
        await writer.submit(row(0))

    with_writer(work, store)


def test_a_write_that_hangs_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STUCK_SECONDS", 0.1)

    async def work(writer: Writer, store: FakeStore) -> None:
        store.may_write.clear()
        first = writer.submit(row(0))
        await until(store.is_writing.is_set)
        second = writer.submit(row(1))
        for future in (first, second):
            with pytest.raises(LogError, match="does not answer"):
                await future
        with pytest.raises(FullError):
            writer.submit(row(2))
        store.may_write.set()
        await until(lambda: not writer.problem)
        await writer.submit(row(3))

    store = with_writer(work)
    assert [r[3] % 10 for batch in store.batches for r in batch] == [0, 3]  # 0 was written late: its sender repeats it


def test_stopping_writes_what_is_queued() -> None:
    async def main() -> None:
        store = FakeStore()
        writer = Writer(store, queue_max=100, retention=timedelta(days=1))
        writer.start()
        await writer.opened(5)
        waiting = [writer.submit(row(number)) for number in range(20)]
        assert await writer.stop(5)
        await asyncio.gather(*waiting)
        assert sum(map(len, store.batches)) == 20

    asyncio.run(main())


def test_old_events_are_pruned_by_the_writer() -> None:
    async def work(writer: Writer, store: FakeStore) -> None:
        await writer.submit(row(0))
        await until(lambda: store.prunes)

    store = with_writer(work)
    age = datetime.now(tz=store.prunes[0].tzinfo) - store.prunes[0]
    assert timedelta(days=13, hours=23) < age < timedelta(days=14, hours=1)
