"""What came out of a step: its end, what is new since a place, what matches a word, and the whole as text.

The whole may be 10 MiB; no page and no process holds it. A place is where somebody has read to: a chunk, the start of its
last unfinished line, and the colours that were on. So lines and colours that two chunks share come out in one piece.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from django.db.models import QuerySet
from django.db.models.functions import Length
from django.utils.safestring import SafeString

from midwatch.core.text import whole_number
from midwatch.prepare.runbooks import ansi
from midwatch.prepare.runbooks.models import LogChunk, StepRun

TAIL_CHARACTERS = 60_000  # on a page that opens
MORE_CHARACTERS_MAX = 120_000  # of what is new; who is further behind jumps to the end
OPEN_LINE_MAX = 4_000  # a longer line without an end is shown as it stands
LINE_MAX = 200_000  # one that never ends is cut so often when it is searched or downloaded
CHUNKS_MAX = 2_000
BATCH = 32  # chunks of at most 64 KiB read at a time
MATCHES_MAX = 200
MATCH_MAX = 600  # characters of a line that matches


@dataclass(frozen=True, slots=True)
class Place:
    """Read to here: `offset` characters of chunk `seq`, in the colours of `style`."""

    seq: int = 0
    offset: int = 0
    style: ansi.Style = ansi.PLAIN

    def __str__(self) -> str:
        return f"{self.seq}.{self.offset}.{self.style.code()}"


def place_of(text: str) -> Place | None:
    """Of an address; None for anything that is no place."""
    seq, _, rest = text.partition(".")
    offset, _, code = rest.partition(".")
    numbers = (whole_number(seq, 9), whole_number(offset, 9))
    if numbers[0] is None or numbers[1] is None:
        return None
    return Place(numbers[0], numbers[1], ansi.style_of(code))


@dataclass(frozen=True, slots=True)
class Piece:
    """Lines of one stream and target. `html`: safe."""

    attempt: int
    stream: str
    target: str
    html: SafeString


@dataclass(frozen=True, slots=True)
class Shown:
    """`open_line`: the last one, whose end has not come; the next reading begins with it. `has_before`: there is more above.
    `is_behind`: so much came since the place that what is shown is the end again, with a gap before it."""

    pieces: Sequence[Piece]
    open_line: Piece | None
    next: Place
    has_before: bool = False
    is_behind: bool = False


@dataclass(frozen=True, slots=True)
class Match:
    """A line with the word in it. `number`: of the line, from 1."""

    number: int
    target: str
    before: str
    word: str
    after: str


@dataclass(slots=True)
class _Run:
    """Chunks one after the other of one attempt, stream and target."""

    attempt: int
    stream: str
    target: str
    texts: list[tuple[int, int, str]]  # seq, offset of the text in its chunk, text

    @property
    def text(self) -> str:
        return "".join(text for _, _, text in self.texts)

    def place(self, at: int, style: ansi.Style) -> Place:
        """Where the character `at` of the whole text stands."""
        for seq, offset, text in self.texts:
            if at < len(text):
                return Place(seq, offset + at, style)
            at -= len(text)
        seq, offset, text = self.texts[-1]
        return Place(seq, offset + len(text), style)


def tail(step_run: StepRun) -> Shown:
    """The end of it, from the start of a line."""
    sizes = _chunks(step_run).order_by("-seq").annotate(size=Length("text")).values_list("seq", "size")
    first, total = None, 0
    for seq, size in sizes[:CHUNKS_MAX]:
        first, total = seq, total + size
        if total >= TAIL_CHARACTERS:
            break
    if first is None:
        return Shown((), None, Place())
    has_before = _chunks(step_run).filter(seq__lt=first).exists()
    runs = _runs(_read(step_run, Place(first)))
    if has_before or total > 2 * TAIL_CHARACTERS:
        has_before = _drop_to_a_line(runs, keep=TAIL_CHARACTERS) or has_before
    return _shown(runs, ansi.PLAIN, has_before=has_before)


def after(step_run: StepRun, place: Place) -> Shown:
    """What came since then; nothing new: no pieces, the same place."""
    read = _read(step_run, place)
    if sum(len(text) for *_, text in read) > MORE_CHARACTERS_MAX or len(read) >= CHUNKS_MAX:
        at_end = tail(step_run)
        return Shown(at_end.pieces, at_end.open_line, at_end.next, is_behind=True)
    if not read:
        return Shown((), None, place)
    return _shown(_runs(read), place.style)


def has_output(step_run: StepRun) -> bool:
    return _chunks(step_run).exists()


def matches(step_run: StepRun, word: str) -> tuple[list[Match], bool]:
    """Lines with the word, upper and lower case alike, from the start; and whether there are more of them."""
    found: list[Match] = []
    wanted = re.compile(re.escape(word), re.IGNORECASE)
    for number, (target, line) in enumerate(_lines(step_run), 1):
        hit = wanted.search(line)
        if hit is None:
            continue
        if len(found) == MATCHES_MAX:
            return found, True
        start = max(0, hit.start() - MATCH_MAX // 2)
        end = min(len(line), hit.end() + MATCH_MAX // 2)
        found.append(Match(number, target, line[start : hit.start()], hit[0], line[hit.end() : end]))
    return found, False


def whole_text(step_run: StepRun) -> Iterator[str]:
    """All that is kept, in pieces, without colours; a line of a target begins with its name."""
    for target, line in _lines(step_run):
        yield f"[{target}] {line}\n" if target else f"{line}\n"


def _chunks(step_run: StepRun) -> QuerySet[LogChunk]:
    return LogChunk.objects.filter(step_run=step_run)


_Row = tuple[int, int, str, str, int, str]  # seq, attempt, stream, target, offset, text


def _read(step_run: StepRun, place: Place) -> list[_Row]:
    rows = _chunks(step_run).filter(seq__gte=place.seq).order_by("seq")
    found: list[_Row] = []
    total = 0
    for seq, attempt, stream, target, text in rows.values_list("seq", "attempt", "stream", "target", "text")[
        :CHUNKS_MAX
    ]:
        offset = place.offset if seq == place.seq else 0
        if text[offset:]:
            found.append((seq, attempt, stream, target, offset, text[offset:]))
        total += len(text) - offset
        if total > 4 * MORE_CHARACTERS_MAX:
            break
    return found


def _runs(rows: Sequence[_Row]) -> list[_Run]:
    return [
        _Run(attempt, stream, target, [(row[0], row[4], row[5]) for row in group])
        for (attempt, stream, target), group in groupby(rows, key=lambda row: row[1:4])
    ]


def _drop_to_a_line(runs: list[_Run], *, keep: int) -> bool:
    """From the front, until about `keep` characters are left and the first of them begins a line."""
    surplus = sum(len(run.text) for run in runs) - keep
    is_dropped = False
    while len(runs) > 1 and surplus >= len(runs[0].text):
        surplus -= len(runs.pop(0).text)
        is_dropped = True
    text = runs[0].text
    at = text.find("\n", max(0, surplus)) + 1
    if at == 0 and surplus > 0:
        at = surplus
    if at:
        place = runs[0].place(at, ansi.PLAIN)
        kept = [one for one in runs[0].texts if one[0] >= place.seq]
        seq, offset, one = kept[0]
        kept[0] = (seq, place.offset, one[place.offset - offset :])
        runs[0].texts = kept
    return is_dropped or at > 0


def _shown(runs: Sequence[_Run], style: ansi.Style, *, has_before: bool = False) -> Shown:
    pieces: list[Piece] = []
    for run in runs[:-1]:
        pieces.append(_piece(run, run.text, style)[0])
        style = ansi.PLAIN
    last = runs[-1]
    text = last.text
    ends_at = text.rfind("\n") + 1
    if len(text) - ends_at > OPEN_LINE_MAX:
        ends_at = len(text)
    if ends_at:
        piece, style = _piece(last, text[:ends_at], style)
        pieces.append(piece)
    open_line = _piece(last, text[ends_at:], style)[0] if ends_at < len(text) else None
    return Shown(pieces, open_line, last.place(ends_at, style), has_before)


def _piece(run: _Run, text: str, style: ansi.Style) -> tuple[Piece, ansi.Style]:
    html, style = ansi.painted(text, style)
    return Piece(run.attempt, run.stream, run.target, SafeString(html)), style


def _lines(step_run: StepRun) -> Iterator[tuple[str, str]]:
    """(target, line) of all that is kept, read in batches: no statement stays open while somebody downloads slowly."""
    seq, held, key = 0, "", ("", "", 0)
    while True:
        rows = _chunks(step_run).filter(seq__gte=seq).order_by("seq")
        batch = list(rows.values_list("seq", "attempt", "stream", "target", "text")[:BATCH])
        if not batch:
            break
        seq = batch[-1][0] + 1
        for _, attempt, stream, target, text in batch:
            if (target, stream, attempt) != key and held:
                yield key[0], ansi.plain(held)
                held = ""
            key = (target, stream, attempt)
            *lines, held = (held + text).split("\n")
            for line in lines:
                yield target, ansi.plain(line)
            if len(held) > LINE_MAX:
                yield target, ansi.plain(held)
                held = ""
    if held:
        yield key[0], ansi.plain(held)
