"""What programs write for a terminal becomes HTML that can do nothing."""

from __future__ import annotations

import random
import re

import pytest

from midwatch.prepare.runbooks.ansi import PLAIN, Style, painted, plain, style_of


def html(text: str) -> str:
    return painted(text)[0]


def test_colours_and_weights() -> None:
    assert html("\x1b[31mred\x1b[0m no") == '<span class="ansi-1">red</span> no'
    assert html("\x1b[1;92mok\x1b[m") == '<span class="ansi-10 ansi-bold">ok</span>'
    assert html("\x1b[3;4mx\x1b[23my\x1b[24mz") == (
        '<span class="ansi-italic ansi-underlined">x</span><span class="ansi-underlined">y</span>z'
    )
    assert html("\x1b[41;33mx") == '<span class="ansi-on-1">x</span>', "on a colour the text is that of the background"
    assert html("\x1b[7mx") == '<span class="ansi-inverse">x</span>'
    assert html("\x1b[7;32mx") == '<span class="ansi-on-2">x</span>'


def test_many_colours_become_the_nearest_of_sixteen() -> None:
    assert html("\x1b[38;5;9mx") == '<span class="ansi-9">x</span>'
    assert html("\x1b[38;5;196mx") == '<span class="ansi-9">x</span>'
    assert html("\x1b[38;2;1;2;250mx") == '<span class="ansi-4">x</span>'
    assert html("\x1b[38:2:1:2:250mx") == '<span class="ansi-4">x</span>'
    assert html("\x1b[38;5;231;1mx") == '<span class="ansi-15 ansi-bold">x</span>'
    assert html("\x1b[38;5;999mx") == "x"
    assert html("\x1b[38;2;1mx") == "x"


def test_the_style_goes_on_in_the_next_piece() -> None:
    first, style = painted("\x1b[1;31mbegun")
    assert painted("on", style_of(style.code()))[0] == '<span class="ansi-1 ansi-bold">on</span>'
    assert first == '<span class="ansi-1 ansi-bold">begun</span>'
    for nonsense in ("", "99_-_00000", "1_1_2", "<b>", "1_-_000001"):
        assert style_of(nonsense) == PLAIN
    assert style_of(Style(15, 0, is_inverse=True).code()) == Style(15, 0, is_inverse=True)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\", "click"),
        ("\x1b]52;c;cm0gLXJmIC8=\x07x", "x"),  # writes a clipboard
        ("\x1b]0;never ended\nthe next line stays", "\nthe next line stays"),
        ("\x1bPq#0;2;0;0;0\x1b\\x", "x"),
        ("\x1b[2J\x1b[1;1Hx\x1b[Ky\x1b[?1049h", "xy"),
        ("\x9b31mx", '<span class="ansi-1">x</span>'),
        ("\x1b[31\nx", "\nx"),
        ("\x1b[>31mx", "x"),
        ("\x1b[3 1mx", "1mx"),
        ("\x1b(Bx\x1b7y\x1bcz", "xyz"),
        ("\x1b", ""),
        ("\x1b[", ""),
        ("\u202egnp.exe", "gnp.exe"),
        ("\x00a\x08b\x7f", "ab"),
        ("10 %\r50 %\rdone\r\nnext\r\n", "done\nnext\n"),
        ('\x1b[31m"><img src=x onerror=alert(1)>', '<span class="ansi-1">&quot;&gt;&lt;img src=x onerror=alert(1)&gt;</span>'),
        (f"\x1b[{';'.join('1' * 40)}mx", "x"),
        (f"\x1b[{'9' * 10_000}mx", "x"),
    ],
)  # fmt: skip
def test_everything_else_goes(text: str, shown: str) -> None:
    assert html(text) == shown
    assert "\x1b" not in plain(text)


def test_no_tag_but_ours_whatever_comes() -> None:
    dice = random.Random(7)
    alphabet = [
        "\x1b",
        "[",
        "]",
        "m",
        ";",
        "<",
        ">",
        '"',
        "&",
        "\x07",
        "\n",
        "\r",
        "38",
        "5",
        "1",
        "a",
        "\x9b",
        "\u202e",
        "P",
        "\\",
    ]
    for _ in range(3_000):
        text = "".join(dice.choices(alphabet, k=40))
        made, style = painted(text)
        rest = re.sub(r'<span class="[a-z0-9 -]+">|</span>', "", made)
        assert not {"<", ">"} & set(rest), (text, made)
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", made), (text, made)
        assert style_of(style.code()) == style


def test_long_lines_cost_no_more_than_their_length() -> None:
    """A line that is rewritten ten thousand times, and one without an end, are read once."""
    assert html("x\r" * 50_000 + "y") == "y"
    assert html("a\r\n" + "b" * 300_000) == "a\n" + "b" * 300_000
    assert len(html("\x1b[" * 100_000)) == 0
    assert len(html("\x1b]" * 100_000)) == 0
