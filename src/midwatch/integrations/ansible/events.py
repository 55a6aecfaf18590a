"""What ansible-runner says, one JSON object a line, becomes words, states of hosts, values and coverage."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from midwatch.core.integration import Output
from midwatch.core.running import Captures
from midwatch.core.text import without_controls

LINE_MAX = 8 * 1024 * 1024
VALUES_MAX = 50
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
ANSI = re.compile(r"\x1b\[[0-9;]*m")
GATHERING = frozenset({"setup", "gather_facts", "ansible.builtin.setup", "ansible.builtin.gather_facts"})
DONE = frozenset({"runner_on_ok", "runner_on_failed"})
ENDED = DONE | {"runner_on_skipped", "runner_on_unreachable"}


class Events:
    def __init__(self, out: Output, captures: Captures) -> None:
        self._out = out
        self._captures = captures
        self._partial = ""
        self._is_too_long = False
        self._tasks: dict[str, bool] = {}  # of the play: was it exercised anywhere?
        self._hosts: dict[str, str] = {}
        self._values: dict[str, str] = {}

    def feed(self, text: str) -> None:
        *lines, rest = (self._partial + text).split("\n")
        for line in lines:
            if self._is_too_long:
                self._is_too_long = False
                self._out.write("one event was too long and is not shown\n", stream="midwatch")
            else:
                self._line(line)
        if len(rest) > LINE_MAX:
            self._is_too_long, rest = True, ""
        self._partial = rest

    def end(self) -> None:
        if self._partial and not self._is_too_long:
            self._line(self._partial)
        self._partial = ""

    @property
    def coverage(self) -> tuple[int, int]:
        return sum(self._tasks.values()), len(self._tasks)

    @property
    def hosts(self) -> Mapping[str, str]:
        return self._hosts

    def values(self) -> dict[str, str]:
        return {**self._values, **self._captures.values()}

    def _line(self, line: str) -> None:
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            event = None
        if not isinstance(event, dict) or "event" not in event:
            if line.strip():
                self._out.write(without_controls(ANSI.sub("", line)) + "\n", stream="stderr")
            return
        data = event.get("event_data") or {}
        host = str(data.get("host") or "")
        said = without_controls(ANSI.sub("", str(event.get("stdout") or "")).replace("\r\n", "\n")).strip("\n")
        if said:
            self._out.write(said + "\n", stream="stdout", target=host)
        self._note(str(event["event"]), data, host)

    def _note(self, kind: str, data: Mapping[str, Any], host: str) -> None:
        if kind in ENDED and data.get("task_action") not in GATHERING:
            task = str(data.get("task_uuid") or data.get("task"))
            self._tasks[task] = self._tasks.get(task, False) or kind in DONE
        result = data.get("res")
        if kind in DONE and isinstance(result, Mapping):
            for name in ("msg", "stdout"):
                if isinstance(result.get(name), str):
                    self._captures.feed(result[name][:1_000_000] + "\n")
        if kind == "playbook_on_stats":
            for name in ("ok", "changed", "skipped", "processed", "rescued", "ignored"):
                self._hosts |= dict.fromkeys(map(str, data.get(name) or {}), "ok")
            for name in ("failures", "dark"):
                self._hosts |= dict.fromkeys(map(str, data.get(name) or {}), "failed")
            self._take(data.get("artifact_data"))

    def _take(self, given: object) -> None:
        """What `set_stats` put there."""
        if not isinstance(given, Mapping):
            return
        for name, value in list(given.items())[:VALUES_MAX]:
            if NAME.fullmatch(str(name)):
                self._values[str(name)] = value[:8_000] if isinstance(value, str) else json.dumps(value)[:8_000]
