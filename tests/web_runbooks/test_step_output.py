"""The end of an output, what is new, what matches, and the whole: without lines or colours cut where chunks are."""

from __future__ import annotations

import pytest
from django.db import transaction

from api_world import World
from midwatch.core import clock
from midwatch.people.queries import actor_of
from midwatch.prepare.runbooks.actions import RunbookFields, revise, save_runbook
from midwatch.prepare.runbooks.models import Execution, LogChunk, StepRun
from midwatch.prepare.runbooks.queries import output


@pytest.fixture
def step(world: World) -> StepRun:
    by = actor_of(world.cy, "web")
    runbook = save_runbook("restart", RunbookFields(world.team), by)
    revision = revise(runbook, "# Restart\n", by)
    with transaction.atomic():
        execution = Execution.objects.create(
            number=1, runbook=runbook, revision=revision, who="cy", via="web", created_at=clock.now()
        )
        return StepRun.objects.create(execution=execution, position=1, step="restart", title="Restart", kind="run")


def write(step: StepRun, *texts: str, stream: str = "stdout", target: str = "", attempt: int = 1) -> None:
    last = LogChunk.objects.filter(step_run=step).count()
    with transaction.atomic():
        LogChunk.objects.bulk_create(
            LogChunk(
                step_run=step, seq=last + n, at=clock.now(), text=text, stream=stream, target=target, attempt=attempt
            )
            for n, text in enumerate(texts)
        )


def text_of(shown: output.Shown) -> str:
    return "".join(piece.html for piece in [*shown.pieces, *([shown.open_line] if shown.open_line else [])])


def test_nothing_yet(step: StepRun) -> None:
    shown = output.tail(step)
    assert (list(shown.pieces), shown.open_line, str(shown.next)) == ([], None, "0.0.-_-_00000")
    assert not output.has_output(step)
    assert output.matches(step, "x") == ([], False)
    assert "".join(output.whole_text(step)) == ""


def test_a_line_and_a_colour_cut_by_chunks_come_out_whole(step: StepRun) -> None:
    write(step, "one\n\x1b[3", "1mtw")
    first = output.tail(step)
    assert text_of(first) == 'one\n<span class="ansi-1">tw</span>'
    assert first.open_line is not None
    assert first.open_line.html == '<span class="ansi-1">tw</span>'
    place = output.place_of(str(first.next))
    assert place == output.Place(0, 4)
    write(step, "o\nthree\n")
    more = output.after(step, place)
    assert text_of(more) == '<span class="ansi-1">two\nthree\n</span>'
    end = output.place_of(str(more.next))
    assert end is not None
    assert end.style.front == 1, "the colour is still on"
    assert output.after(step, end).pieces == ()
    write(step, "four\n")
    assert text_of(output.after(step, end)) == '<span class="ansi-1">four\n</span>'


def test_streams_and_targets_are_told_apart(step: StepRun) -> None:
    write(step, "a\n", target="db1")
    write(step, "\x1b[31mb\n", target="db2", stream="stderr")
    write(step, "c\n", target="db1")
    shown = [(piece.target, piece.stream, str(piece.html)) for piece in output.tail(step).pieces]
    assert shown == [
        ("db1", "stdout", "a\n"),
        ("db2", "stderr", '<span class="ansi-1">b\n</span>'),
        ("db1", "stdout", "c\n"),
    ]
    assert "".join(output.whole_text(step)) == "[db1] a\n[db2] b\n[db1] c\n"


def test_only_the_end_of_a_long_one_is_loaded(step: StepRun) -> None:
    line = "x" * 99 + "\n"
    write(step, *(line * 300 for _ in range(40)), "last\n")
    shown = output.tail(step)
    assert shown.has_before
    text = text_of(shown)
    assert output.TAIL_CHARACTERS - 200 <= len(text) <= output.TAIL_CHARACTERS + 200
    assert text.startswith("x" * 99 + "\n")
    assert text.endswith("last\n")
    behind = output.after(step, output.Place(0))
    assert behind.is_behind
    assert text_of(behind) == text
    assert sum(map(len, output.whole_text(step))) == 40 * 300 * 100 + 5


def test_one_endless_line_is_no_trouble(step: StepRun) -> None:
    write(step, *("y" * 60_000 for _ in range(8)))
    shown = output.tail(step)
    assert shown.has_before
    assert len(text_of(shown)) <= 2 * output.TAIL_CHARACTERS
    place = shown.next
    write(step, "z\n")
    assert text_of(output.after(step, place)).endswith("z\n")


def test_search_says_where(step: StepRun) -> None:
    write(step, "first\nan \x1b[31mERR", "OR here\nthird <b>\n")
    [found], has_more = output.matches(step, "error")
    assert (found.number, found.before, found.word, found.after, has_more) == (2, "an ", "ERROR", " here", False)
    write(step, "error\n" * (output.MATCHES_MAX + 1))
    found_many, has_more = output.matches(step, "error")
    assert len(found_many) == output.MATCHES_MAX
    assert has_more


@pytest.mark.parametrize("text", ["", "x", "1", "1.", "-1.0", "9" * 30 + ".0", "1.x.1_-_00000"])
def test_what_is_no_place(text: str) -> None:
    assert output.place_of(text) is None
