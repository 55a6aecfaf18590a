"""What programs write for a terminal, as HTML that can do nothing. Pure.

    html, style = painted(text, style)      # the style goes on in the next piece
    plain(text)                             # for a download

The text is taken to be hostile: whoever can name a file or send a request writes into logs. Obeyed are colours (sixteen;
those of 256 and of 24 bits become the nearest of them, since the sixteen are legible on our background and the others may
not be), bold, dim, italic and underlined. Everything else goes: moving the cursor, titles, links, clipboards, answers that
a terminal would type back, direction overrides. A sequence that never ends takes at most the rest of its own line, so that
none hides what comes after it.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from midwatch.core.text import without_controls

COLOURS = 16
PARAMETERS_MAX = 32  # of one sequence
_RGB = (  # of the sixteen, to find the nearest
    (0, 0, 0), (205, 0, 0), (0, 205, 0), (205, 205, 0), (0, 0, 238), (205, 0, 205), (0, 205, 205), (229, 229, 229),
    (127, 127, 127), (255, 0, 0), (0, 255, 0), (255, 255, 0), (92, 92, 255), (255, 0, 255), (0, 255, 255), (255, 255, 255),
)  # fmt: skip
_STEPS = (0, 95, 135, 175, 215, 255)  # of the colour cube
_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)(?P<given>[0-?]*)(?P<between>[ -/]*)(?P<final>[@-~]?)"  # CSI
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"  # OSC, DCS, SOS, PM, APC
    r"|\x1b[ -/]*[0-~]?"  # the other ones
)


@dataclass(frozen=True, slots=True)
class Style:
    """How what follows looks. Colours by number, 0 to 15; None: as the page has it."""

    front: int | None = None
    back: int | None = None
    is_bold: bool = False
    is_dim: bool = False
    is_italic: bool = False
    is_underlined: bool = False
    is_inverse: bool = False

    def classes(self) -> str:
        """Names that the style sheet knows; never a value from the text."""
        front, back = (self.back, self.front) if self.is_inverse else (self.front, self.back)
        found = [f"ansi-{front}"] if front is not None and back is None else []
        if back is not None:
            found = [
                f"ansi-on-{back}"
            ]  # its text has the colour of the log's background: legible on each of the sixteen
        elif self.is_inverse:
            found.append("ansi-inverse")
        words = {
            "ansi-bold": self.is_bold, "ansi-dim": self.is_dim, "ansi-italic": self.is_italic,
            "ansi-underlined": self.is_underlined,
        }  # fmt: skip
        return " ".join([*found, *(word for word, is_on in words.items() if is_on)])

    def code(self) -> str:
        """To be carried in an address: what `style_of` reads."""
        colours = [str(self.front if self.front is not None else "-"), str(self.back if self.back is not None else "-")]
        flags = (self.is_bold, self.is_dim, self.is_italic, self.is_underlined, self.is_inverse)
        return "_".join([*colours, "".join("1" if flag else "0" for flag in flags)])


PLAIN = Style()
_CODE = re.compile(r"(-|\d{1,2})_(-|\d{1,2})_([01]{5})")


def style_of(code: str) -> Style:
    """Of an address. Anything else is plain."""
    found = _CODE.fullmatch(code)
    if found is None:
        return PLAIN
    front, back = (int(given) if given != "-" else None for given in found.group(1, 2))
    if any(colour is not None and colour >= COLOURS for colour in (front, back)):
        return PLAIN
    return Style(front, back, *(flag == "1" for flag in found[3]))


def painted(text: str, style: Style = PLAIN) -> tuple[str, Style]:
    """Safe HTML of this piece, and the style in which the next one begins."""
    parts: list[str] = []
    for piece, worn in _pieces(lines_as_shown(text), style):
        if piece is None:
            style = worn
            continue
        shown = html.escape(without_controls(piece))
        names = worn.classes()
        parts.append(f'<span class="{names}">{shown}</span>' if names and shown else shown)
    return "".join(parts), style


def plain(text: str) -> str:
    """The words alone: no escape sequence, no control character but tabs and new lines."""
    return without_controls(_SEQUENCE.sub("", lines_as_shown(text)))


def lines_as_shown(text: str) -> str:
    """One kind of line end, and of lines that were written over only what was written last."""
    if "\r" not in text:
        return text
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))


def _pieces(text: str, style: Style) -> Iterator[tuple[str | None, Style]]:
    """Text and what it wears; at last None and the style that goes on."""
    at = 0
    for found in _SEQUENCE.finditer(text):
        if found.start() > at:
            yield text[at : found.start()], style
        at = found.end()
        if found["final"] == "m" and not found["between"]:
            style = _dressed(style, found["given"])
    if at < len(text):
        yield text[at:], style
    yield None, style


def _dressed(style: Style, given: str) -> Style:
    """After a "select graphic rendition" with these parameters."""
    numbers = [_number(word) for word in re.split("[;:]", given)]
    if len(numbers) > PARAMETERS_MAX or given[:1] in {"<", "=", ">", "?"}:
        return style
    at = 0
    while at < len(numbers):
        number = numbers[at]
        if number in {38, 48}:
            colour, taken = _chosen(numbers[at + 1 :])
            if colour is not None:
                style = replace(style, front=colour) if number == 38 else replace(style, back=colour)
            at += 1 + taken
            continue
        style = _with(style, number)
        at += 1
    return style


def _number(word: str) -> int:
    """Nothing given means 0; nonsense means what no sequence knows."""
    if not word:
        return 0
    return int(word) if word.isdigit() and len(word) <= 3 else -1


def _with(style: Style, number: int) -> Style:
    match number:
        case 0:
            return PLAIN
        case 1:
            return replace(style, is_bold=True)
        case 2:
            return replace(style, is_dim=True)
        case 3:
            return replace(style, is_italic=True)
        case 4:
            return replace(style, is_underlined=True)
        case 7:
            return replace(style, is_inverse=True)
        case 22:
            return replace(style, is_bold=False, is_dim=False)
        case 23:
            return replace(style, is_italic=False)
        case 24:
            return replace(style, is_underlined=False)
        case 27:
            return replace(style, is_inverse=False)
        case 39:
            return replace(style, front=None)
        case 49:
            return replace(style, back=None)
    if 30 <= number <= 37 or 90 <= number <= 97:
        return replace(style, front=number - 30 if number < 90 else number - 82)
    if 40 <= number <= 47 or 100 <= number <= 107:
        return replace(style, back=number - 40 if number < 100 else number - 92)
    return style


def _chosen(rest: Sequence[int]) -> tuple[int | None, int]:
    """After 38 or 48: the colour among the sixteen, and how many parameters it took."""
    if rest[:1] == [5] and len(rest) >= 2:
        return _of_256(rest[1]), 2
    if rest[:1] == [2] and len(rest) >= 4:
        red, green, blue = rest[1:4]
        return (_nearest(red, green, blue) if all(0 <= part <= 255 for part in rest[1:4]) else None), 4
    return None, len(rest)


def _of_256(number: int) -> int | None:
    if 0 <= number < COLOURS:
        return number
    if 16 <= number <= 231:
        place = number - 16
        return _nearest(_STEPS[place // 36], _STEPS[place // 6 % 6], _STEPS[place % 6])
    if 232 <= number <= 255:
        grey = 8 + 10 * (number - 232)
        return _nearest(grey, grey, grey)
    return None


def _nearest(red: int, green: int, blue: int) -> int:
    return min(
        range(COLOURS), key=lambda n: sum((a - b) ** 2 for a, b in zip(_RGB[n], (red, green, blue), strict=True))
    )
