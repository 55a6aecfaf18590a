"""Secrets are masked in everything that comes out of a step: its output, its sentences, its captured values.

Comes after nothing but text; comes before the guarded runners, which put it between every executor and its output.

A mask knows a secret as it is, each line of one with several lines, and the forms that it takes on the way: base64, as in
an `Authorization` header, percent-encoded, as in an address, escaped in JSON, and quoted for a shell. What a program
makes of it otherwise (reversed, compressed, one character a line) no mask can know.
"""

from __future__ import annotations

import base64
import json
import re
import shlex
import threading
from collections.abc import Iterable, Mapping
from urllib.parse import quote, quote_plus

MASK = "••••••"
FORM_MIN = 4


def forms_of(secret: str) -> set[str]:
    """The texts under which a secret may appear."""
    found: set[str] = set()
    lines = [line.strip() for line in secret.splitlines()] if "\n" in secret or "\r" in secret else [secret]
    for line in lines:
        raw = line.encode("utf-8", "surrogateescape")
        found |= {
            line,
            quote(raw, safe=""),
            quote(raw),
            quote_plus(raw),
            json.dumps(line)[1:-1],
            json.dumps(line, ensure_ascii=False)[1:-1],
            shlex.quote(line).strip("'"),
            raw.hex(),
        }
        found |= _base64(raw)
    found |= _base64(secret.encode("utf-8", "surrogateescape"))
    return {form for form in found if len(form) >= FORM_MIN}


def _base64(raw: bytes) -> set[str]:
    """Also of a text in whose middle the secret stands (`user:secret`): the part that is the same whatever is around it."""
    found: set[str] = set()
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + raw).decode("ascii")
        start = (0, 2, 3)[before]  # characters that hold bits of what stands before
        end = len(encoded) - (0, 3, 2)[(before + len(raw)) % 3]  # and of what stands behind
        part = encoded[start:end]
        if len(part) >= 8:  # shorter ones appear by chance
            found |= {part, part.replace("+", "-").replace("/", "_")}
    return found


class Mask:
    """Of one task's secrets."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms: set[str] = set()
        for secret in secrets:
            if secret:
                forms |= forms_of(secret)
        self.forms = tuple(sorted(forms, key=lambda form: (-len(form), form)))
        self._pattern = re.compile("|".join(re.escape(form) for form in self.forms)) if forms else None
        self._length_max = len(self.forms[0]) if forms else 0

    def text(self, text: str) -> str:
        return self._pattern.sub(MASK, text) if self._pattern is not None else text

    def mapping(self, values: Mapping[str, str]) -> dict[str, str]:
        return {self.text(name): self.text(value) for name, value in values.items()}

    def cut(self, text: str) -> tuple[str, str]:
        """(masked, kept back): what may be the beginning of a secret waits for what comes next."""
        if self._pattern is None:
            return text, ""
        done: list[str] = []
        position = 0
        for match in self._pattern.finditer(text):
            if match.end() == len(text) and self._may_grow(match.group()):
                done.append(text[position : match.start()])
                return "".join(done), text[match.start() :]
            done += [text[position : match.start()], MASK]
            position = match.end()
        tail = text[position:]
        kept = self._beginning(tail)
        done.append(tail[: len(tail) - kept])
        return "".join(done), tail[len(tail) - kept :]

    def _may_grow(self, found: str) -> bool:
        return any(len(form) > len(found) and form.startswith(found) for form in self.forms)

    def _beginning(self, tail: str) -> int:
        """How many of the last characters of `tail` are the beginning of a secret."""
        longest = 0
        for form in self.forms:
            for length in range(min(len(form) - 1, len(tail)), longest, -1):
                if tail.endswith(form[:length]):
                    longest = length
                    break
        return longest


class MaskedStreams:
    """Masks pieces as they come, one stream beside the other; a secret that was cut in two is found all the same."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._kept: dict[tuple[str, str], str] = {}
        self._lock = threading.Lock()

    def feed(self, text: str, stream: str, target: str) -> str:
        with self._lock:
            done, kept = self._mask.cut(self._kept.pop((stream, target), "") + text)
            if kept:
                self._kept[stream, target] = kept
            return done

    def rest(self) -> list[tuple[str, str, str]]:
        """(text, stream, target) of what was kept back, when nothing more comes."""
        with self._lock:
            left = [(self._mask.text(text), stream, target) for (stream, target), text in self._kept.items()]
            self._kept.clear()
            return left
