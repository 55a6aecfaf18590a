"""Secrets hidden in what comes out of a step: whole and in pieces, plain and as programs usually rewrite them. Pure.

    mask = Mask(secrets.values())
    mask.text("a whole text")
    stream = mask.stream()                 # one for each stream and target; `MaskedStreams` keeps them apart
    stream.feed("...") + stream.feed("...") + stream.end()

What is hidden: the value; each line of a value of several lines; and its base64 (also inside of a longer text, as in
`user:password`), percent-encoded, shell-quoted, JSON-escaped, HTML-escaped and hexadecimal forms. Overlapping finds are
one mask. How a text is cut into pieces makes no difference to what comes out: what could still become a secret is held
back, and nothing else is.

What it cannot hide: a value that a program transforms in a way of its own (reversed, encrypted, one character a line).
That is why a step gets only the secrets that it names.
"""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
import threading
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus

MASK = "••••••"
VALUE_MIN = 4  # shorter ones stand in any text by chance, and hiding them would say where they are
LINE_MIN = 8  # of a value of several lines; shorter lines ("}", "") would hide half of the output
WRAPS = (64, 76)  # columns at which openssl, PEM and `base64` break their lines
_SAFE = "!'()*~"  # what JavaScript's encodeURIComponent leaves as it is
_PLAIN_IN_SHELL = re.compile(r"[^\w@%+=:,./-]", re.ASCII)


class Mask:
    """All forms of some secrets. Made once for a step, shared by its streams."""

    def __init__(self, secrets: Iterable[str]) -> None:
        found = {form for value in secrets for form in forms(value)}
        self.words = tuple(sorted(found, key=lambda word: (-len(word), word)))
        self.reach = max(map(len, self.words), default=1) - 1  # so much at most has to be held back

    def stream(self) -> MaskedStream:
        return MaskedStream(self)

    def text(self, text: str) -> str:
        """A whole text."""
        stream = self.stream()
        return stream.feed(text) + stream.end()

    def mapping(self, values: Mapping[str, str]) -> dict[str, str]:
        return {self.text(name): self.text(value) for name, value in values.items()}

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where secrets are, also overlapping ones, in order."""
        found = []
        for word in self.words:
            at = text.find(word)
            while at >= 0:
                found.append((at, at + len(word)))
                at = text.find(word, at + 1)
        return sorted(found)

    def begun(self, text: str) -> int:
        """Where the earliest secret may begin whose end has not come yet; the text's length when there is none."""
        first = len(text)
        for word in self.words:
            at = max(0, len(text) - len(word) + 1)
            while (at := text.find(word[0], at, first)) >= 0:
                if word.startswith(text[at:]):
                    first = at
                    break
                at += 1
        return first


class MaskedStream:
    """One stream, in one thread. Feed it pieces of some length: each costs a look for every form of every secret."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._held = ""
        self._covered = 0  # so many characters of what is held belong to a mask that went out already

    def feed(self, text: str) -> str:
        """What of it is sure by now."""
        if not self._mask.words:
            return text
        return self._out(self._held + text, is_end=False)

    def end(self) -> str:
        """The rest. The stream can be used again."""
        return self._out(self._held, is_end=True)

    def _out(self, text: str, *, is_end: bool) -> str:
        until = len(text) if is_end else self._mask.begun(text)
        parts = []
        shown = self._covered  # up to here it is out, or under a mask
        for start, end in self._mask.spans(text):
            if start >= until:
                break
            if start >= shown:
                parts += [text[shown:start], MASK]
            shown = max(shown, end)
        parts.append(text[shown:until])
        self._held = text[until:]
        self._covered = max(0, shown - until)
        return "".join(parts)


class MaskedStreams:
    """Several streams of one step, fed by any thread."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._streams: dict[tuple[str, str], MaskedStream] = {}
        self._lock = threading.Lock()

    def feed(self, text: str, stream: str, target: str = "") -> str:
        with self._lock:
            found = self._streams.get((stream, target))
            if found is None:
                found = self._streams[stream, target] = self._mask.stream()
            return found.feed(text)

    def rest(self) -> list[tuple[str, str, str]]:
        """(text, stream, target) of what was held back, when nothing more comes."""
        with self._lock:
            left = [(found.end(), stream, target) for (stream, target), found in self._streams.items()]
            self._streams.clear()
        return [one for one in left if one[0]]


def forms(value: str) -> set[str]:
    """The value as programs write it. Nothing for a value that is too short to be hidden."""
    if len(value) < VALUE_MIN:
        return set()
    lines = [line.strip() for line in value.splitlines()]
    wholes = {value, value.strip(), *(line for line in lines if len(line) >= LINE_MIN)}
    found = {form for whole in wholes if len(whole) >= VALUE_MIN for form in _of_one(whole)}
    return {form for form in found if len(form) >= VALUE_MIN}


def _of_one(text: str) -> Iterator[str]:
    yield text
    yield from _shell(text)
    yield from _escaped(text)
    yield from _percent(text)
    raw = text.encode("utf-8", "surrogatepass")
    yield raw.hex()
    yield raw.hex().upper()
    yield from _base64(raw)


def _shell(text: str) -> Iterator[str]:
    """Without the quotes around it, so that `'it'"'"'s'` is found inside of longer words too."""
    quoted = shlex.quote(text)
    yield quoted[1:-1] if quoted != text else text
    yield text.replace("'", "'\\''")  # as bash -x writes it
    yield _PLAIN_IN_SHELL.sub(lambda found: f"\\{found[0]}", text)  # as printf %q does
    yield re.sub(r'([\\"$`])', r"\\\1", text)  # inside of double quotes
    yield re.sub(r"([\\'])", r"\\\1", text).replace("\n", "\\n").replace("\t", "\\t")  # $'...'


def _escaped(text: str) -> Iterator[str]:
    for is_ascii in (True, False):
        once = json.dumps(text, ensure_ascii=is_ascii)[1:-1]
        yield once
        yield once.replace("/", "\\/")
        yield json.dumps(once, ensure_ascii=is_ascii)[1:-1]  # JSON within JSON: a log line that quotes a body
    yield repr(text)[1:-1]
    yield html.escape(text)
    yield html.escape(text, quote=False)


def _percent(text: str) -> Iterator[str]:
    raw = text.encode("utf-8", "surrogatepass")
    for done in (quote(raw, safe=""), quote(raw, safe="/"), quote_plus(raw), quote(raw, safe=_SAFE)):
        yield done
        yield re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), done)


def _base64(raw: bytes) -> Iterator[str]:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        whole = encode(raw).decode()
        yield whole
        yield whole.rstrip("=")
        for width in WRAPS:
            lines = [whole[at : at + width] for at in range(0, len(whole), width)]
            yield from (line for line in lines if len(lines) > 1 and len(line) >= LINE_MIN)
        for before in range(3):  # what it looks like behind so many other bytes: the characters that are its alone
            moved = encode(b"\0" * before + raw + b"\0" * 2).decode()
            first = -(-before * 8 // 6)
            yield moved[first : (before + len(raw)) * 8 // 6]
