"""The built front end: from a plain name ("app.css") to the address of the file with its content hash in the name.

`frontend/hatch_build.py` makes the files while the package is built. Since the name changes with the content, browsers
may keep a file for ever (WHITENOISE_IMMUTABLE_FILE_TEST).
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static

DIRECTORY = Path(__file__).resolve().parent / "static" / "dist"


@cache
def manifest() -> dict[str, str]:
    """Plain name to file name. Read once: the files change with the package, not while it runs."""
    try:
        files = json.loads((DIRECTORY / "manifest.json").read_text("utf-8"))["files"]
    except FileNotFoundError as error:
        raise ImproperlyConfigured(
            "the front end is not built: run `make assets`, or `pip install` Midwatch again"
        ) from error
    return {name: about["file"] for name, about in files.items()}


@cache
def address(name: str) -> str:
    """`/static/dist/app.0123456789.css` for "app.css"."""
    try:
        return static(f"dist/{manifest()[name]}")
    except KeyError as error:
        raise ImproperlyConfigured(f"{name!r} is not built; there are {', '.join(manifest())}") from error


@cache
def _drawings() -> dict[str, str]:
    sprite = (DIRECTORY / manifest()["icons.svg"]).read_text("utf-8")
    return dict(re.findall(r'<symbol id="([a-z0-9-]+)"[^>]*>(.*?)</symbol>', sprite, re.DOTALL))


def drawing(name: str) -> str:
    """The inside of an icon's <svg>."""
    try:
        return _drawings()[name]
    except KeyError as error:
        raise ImproperlyConfigured(f"no icon {name!r} is built: name it in a template and run `make assets`") from error
