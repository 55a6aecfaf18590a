"""What came out of an execution, for those who ask again and again from where they were.

An offset is (chunk, character) in one number: to a client it is opaque. A line is one entry; one that has not ended is held
back while its step may still write the rest of it.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC

from django.db.models import Max, Q, QuerySet
from django.http import HttpResponse

from midwatch.api.rundeck import words
from midwatch.api.rundeck.door import Asked, Json, Refused, answered, texted
from midwatch.api.rundeck.executions import execution_of
from midwatch.core import clock
from midwatch.prepare.runbooks.models import Execution, LogChunk, Stream

CHARACTER_BITS = 18  # a chunk has at most 64 KiB
ENTRIES_MAX = 20_000  # of one answer; a client asks again
CHUNKS_MAX = 400
LINE_MAX = 65_536
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
LEVELS: Mapping[str, str] = {Stream.STDOUT: "NORMAL", Stream.STDERR: "ERROR", Stream.MIDWATCH: "NORMAL"}


@dataclass(frozen=True, slots=True)
class Line:
    """`offset`: behind it."""

    chunk: LogChunk
    text: str
    offset: int


@dataclass(frozen=True, slots=True)
class Tail:
    lines: list[Line]
    offset: int
    has_more: bool


def show(asked: Asked) -> HttpResponse:
    """`/execution/ID/output`, of one node or step when the path says so."""
    one = execution_of(asked, asked.ids[0])
    chunks = _chunks(one, asked)
    end = (chunks.aggregate(last=Max("id"))["last"] or 0) + 1 << CHARACTER_BITS
    changed_at = chunks.order_by("-id").values_list("at", flat=True).first() or one.created_at
    modified = int(max(changed_at, one.ended_at or changed_at).timestamp() * 1000)
    offset = min(asked.whole("offset", 0, 2**62), end)
    if one.is_ended and offset >= end:
        tail = Tail([], end, has_more=False)
    elif last := asked.whole("lastlines", 0, ENTRIES_MAX):
        tail = _last(chunks, one, last)
    else:
        tail = _from(chunks, one, offset, asked.whole("maxlines", ENTRIES_MAX, ENTRIES_MAX) or ENTRIES_MAX)
    if one.is_ended and not tail.has_more:
        tail = Tail(tail.lines, end, has_more=False)
    is_unmodified = not tail.lines and asked.whole("lastmod", 0, 2**62) >= modified
    duration = int(((one.ended_at or clock.now()) - one.created_at).total_seconds() * 1000)
    about = {
        "id": str(one.number),
        "offset": str(tail.offset),
        "completed": one.is_ended and not tail.has_more,
        "execCompleted": one.is_ended,
        "hasFailedNodes": "failedNodes" in words.nodes(one),
        "execState": words.STATUS[one.state],
        "lastModified": str(modified),
        "execDuration": duration,
        "percentLoaded": 100.0 * tail.offset / end,
        "totalSize": end,
        "retryBackoff": 0,
        "clusterExec": False,
        "serverNodeUUID": words.SERVER,
        "compacted": False,
        **({"unmodified": True} if is_unmodified else {}),
        **({"empty": True} if end == 1 << CHARACTER_BITS else {}),
    }
    if asked.wants("text"):
        return _as_text(about, tail)
    return answered({**about, "entries": [_entry(line, one) for line in tail.lines]})


def _as_text(about: Json, tail: Tail) -> HttpResponse:
    response = texted("".join(f"{line.text}\n" for line in tail.lines))
    for name, key in {
        "X-Rundeck-ExecOutput-Offset": "offset",
        "X-Rundeck-ExecOutput-Completed": "completed",
        "X-Rundeck-Exec-Completed": "execCompleted",
        "X-Rundeck-Exec-State": "execState",
        "X-Rundeck-Exec-Duration": "execDuration",
        "X-Rundeck-ExecOutput-LastModifed": "lastModified",  # so it is spelled there
        "X-Rundeck-ExecOutput-TotalSize": "totalSize",
        "X-Rundeck-ExecOutput-Unmodified": "unmodified",
        "X-Rundeck-ExecOutput-Empty": "empty",
    }.items():
        if key in about:
            value = about[key]
            response[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return response


def _chunks(one: Execution, asked: Asked) -> QuerySet[LogChunk]:
    found = LogChunk.objects.filter(step_run__execution=one).select_related("step_run").order_by("id")
    narrowed = dict(zip(asked.words[3::2], asked.words[4::2], strict=False))
    node, step = narrowed.get("node", "")[:200], narrowed.get("step", "")
    if node:
        found = found.filter(Q(target=node) | (Q(target="") if node == words.LOCAL else Q()))
    if step:
        if not (step.isascii() and step.isdigit() and len(step) < 6):
            raise Refused(400, "step is a number from 1")
        found = found.filter(step_run__position=int(step) - 1)
    return found


def _from(chunks: QuerySet[LogChunk], one: Execution, offset: int, most: int) -> Tail:
    """Chunks one after the other, no more in memory than the answer holds."""
    lines: list[Line] = []
    first, character = offset >> CHARACTER_BITS, offset & ((1 << CHARACTER_BITS) - 1)
    read = list(chunks.filter(id__gte=first)[: CHUNKS_MAX + 1])
    for line in _lines(read[:CHUNKS_MAX], character if read and read[0].pk == first else 0, read[CHUNKS_MAX:], one):
        if len(lines) >= most:
            return Tail(lines, lines[-1].offset if lines else offset, has_more=True)
        lines.append(line)
    return Tail(lines, lines[-1].offset if lines else offset, has_more=len(read) > CHUNKS_MAX)


def _last(chunks: QuerySet[LogChunk], one: Execution, most: int) -> Tail:
    newest = list(chunks.order_by("-id")[:CHUNKS_MAX])[::-1]
    kept = deque(_lines(newest, 0, [], one), maxlen=most)
    end = newest[-1].pk + 1 << CHARACTER_BITS if newest else 0
    return Tail(list(kept), kept[-1].offset if kept else end, has_more=False)


def _lines(chunks: Sequence[LogChunk], begin: int, later: Sequence[LogChunk], one: Execution) -> Iterator[Line]:
    """A line may go on in the next chunk of the same stream. `begin`: in the first one."""
    carried = ""
    next_ones: list[LogChunk | None] = [*chunks[1:], *later[:1], None]
    for chunk, follows in zip(chunks, next_ones, strict=False):
        text, base = chunk.text, chunk.pk << CHARACTER_BITS
        while (end := text.find("\n", begin)) >= 0:
            yield Line(chunk, _shown(carried + text[begin:end]), base + end + 1)
            carried, begin = "", end + 1
        carried += text[begin:]
        begin = 0
        if not carried:
            continue
        goes_on = _key(follows) == _key(chunk) if follows is not None else not (one.is_ended or chunk.step_run.is_ended)
        if not goes_on or len(carried) > LINE_MAX:
            yield Line(chunk, _shown(carried), base + len(text))
            carried = ""


def _key(chunk: LogChunk) -> tuple[int, str, str]:
    return chunk.step_run_id, chunk.stream, chunk.target


def _shown(text: str) -> str:
    return _ANSI.sub("", text.rstrip("\r"))


def _entry(line: Line, one: Execution) -> Json:
    chunk = line.chunk
    at = chunk.at.astimezone(UTC)
    return {
        "time": at.strftime("%H:%M:%S"),
        "absolute_time": words.moment(chunk.at),
        "level": LEVELS.get(chunk.stream, "NORMAL"),
        "log": line.text,
        "user": one.who,
        "command": chunk.step_run.title,
        "node": chunk.target or words.LOCAL,
        "stepctx": str(chunk.step_run.position + 1),
        "metadata": {"stepctx": str(chunk.step_run.position + 1)},
    }
