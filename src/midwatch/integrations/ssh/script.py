"""What is sent to the other side: one constant command, and everything else over its standard input.

No value ever stands in a command line there, quoted or not: command lines can be read by everybody on that machine.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

EVALUATED: Mapping[str, str] = {"": "/bin/sh", "sh": "/bin/sh", "shell": "/bin/sh", "bash": "bash"}
# Interpreters that take a program as an argument; it holds no value of a variable.
WITH_ARGUMENT: Mapping[str, tuple[str, str]] = {
    "python": ("python3", "-c"),
    "python3": ("python3", "-c"),
    "py": ("python3", "-c"),
    "perl": ("perl", "-e"),
    "ruby": ("ruby", "-e"),
    "javascript": ("node", "-e"),
    "js": ("node", "-e"),
}
PROGRAM = re.compile(r"(?:/[A-Za-z0-9._/-]+/|/)?(?P<name>(?:ba|da|z|k)?sh|python3?|perl|ruby|node)(?:[0-9.]*)")
FLAGS: Mapping[str, str] = {"perl": "-e", "ruby": "-e", "node": "-e"}
ARGUMENT_BYTES_MAX = 120_000
NAME = re.compile(r"[A-Z_][A-Z0-9_]*")


def problem(language: str, body: str) -> str:
    if language in EVALUATED:
        return ""
    if _argument(language) is None:
        return f"{language!r} is not known here: write sh, bash, python, perl, ruby or js after the fence"
    if len(body.encode("utf-8", "surrogateescape")) > ARGUMENT_BYTES_MAX:
        return f"a {language} step may have {ARGUMENT_BYTES_MAX:,} bytes: keep the program on the target and call it"
    return ""


def _argument(language: str) -> tuple[str, str] | None:
    """(program, the flag before the script)."""
    if language in WITH_ARGUMENT:
        return WITH_ARGUMENT[language]
    found = PROGRAM.fullmatch(language)
    return (language, FLAGS.get(found["name"], "-c")) if found else None


def command(language: str, mark: str) -> str:
    """It says its process group first, after `mark`, so that it can be ended where the server takes no signals."""
    assert mark.isalnum()
    return f"exec {EVALUATED.get(language, '/bin/sh')} -c 'echo {mark} $$; eval \"$(cat)\"'"


def checking(language: str) -> str:
    """Reads the script there and runs nothing."""
    return f"exec {EVALUATED[language]} -n" if language in EVALUATED else "true"


def ending(group: int, signal: str) -> str:
    return f"kill -{signal} -- -{group}"


def sent(language: str, body: str, variables: Mapping[str, str], cwd: str = "") -> bytes:
    """Variables as exports, each value quoted as one word, then the script."""
    assert all(NAME.fullmatch(name) for name in variables), "names are checked before"
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    if cwd:
        lines.append(f"cd -- {shlex.quote(cwd)} || exit 1")
    argument = None if language in EVALUATED else _argument(language)
    if argument is not None:
        lines.append(f"exec {shlex.quote(argument[0])} {argument[1]} {shlex.quote(body)}")
    else:
        lines.append(body)
    return "\n".join(lines).encode("utf-8", "surrogateescape")
