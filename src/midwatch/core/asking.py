"""Requests of a step: each can be given up in the middle when somebody cancels.

Comes after `core.net`, which makes them; comes before the executors that speak HTTP.
"""

from __future__ import annotations

import threading
from queue import Empty, SimpleQueue
from typing import Any, Literal

from midwatch.core import net
from midwatch.core.net import HttpAnswer, NetError
from midwatch.core.running import LOOK_SECONDS, Patience


class Stopped(Exception):  # noqa: N818 - says what happened
    """The step was cancelled, or its time is over. `why`: cancelled, or timed out."""

    def __init__(self, why: Literal["cancelled", "timed out"]) -> None:
        super().__init__(why)
        self.why = why

    @property
    def words(self) -> str:
        return "cancelled" if self.why == "cancelled" else "the time-out passed"


def ask(patience: Patience, method: str, url: str, *, answer_seconds: float, **given: Any) -> HttpAnswer:
    """As `net.http`. Raises `NetError`, and `Stopped` at once when it is over: the request is left to its own time-out then."""
    why = patience.why_over()
    if why:
        raise Stopped(why)
    answers: SimpleQueue[HttpAnswer | NetError] = SimpleQueue()
    seconds = patience.left(answer_seconds)

    def work() -> None:
        try:
            answers.put(net.http(method, url, timeout_seconds=seconds, **given))
        except NetError as error:
            answers.put(error)

    thread = threading.Thread(target=work, name="request of a step", daemon=True)
    thread.start()
    while True:
        try:
            answer = answers.get(timeout=LOOK_SECONDS)
        except Empty:
            if patience.why_over() == "cancelled":
                raise Stopped("cancelled") from None
            if thread.is_alive() or not answers.empty():
                continue
            raise NetError("the request ended without an answer: see the log", may_have_arrived=True) from None
        if isinstance(answer, NetError):
            if patience.why_over() == "timed out":
                raise Stopped("timed out") from None
            raise answer
        return answer
