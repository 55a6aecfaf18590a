"""What a verb of the command line is."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Parser = argparse.ArgumentParser


@dataclass(frozen=True, slots=True)
class Verb:
    """`call`: "module:function", taking the parsed arguments, returning the exit code.

    `needs`: nothing; django, which is set up first; or a database that is there already. `prints`: takes `--json`.
    `acts`: takes `--as`.
    `is_short`: ends by itself soon.
    """

    name: str
    call: str
    about: str
    arguments: Callable[[Parser], None]
    example: str = ""
    needs: Literal["nothing", "django", "database"] = "database"
    prints: bool = True
    acts: bool = False
    is_short: bool = True
