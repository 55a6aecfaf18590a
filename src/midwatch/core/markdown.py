"""Markdown of people and machines, made into HTML that can do nothing.

The text is taken to be hostile. Three locks, one behind the other: the parser knows no HTML (what looks like a tag is shown
as text), the cleaner lets through only the tags and attributes listed here, and the page's Content-Security-Policy runs no
inline script. Pictures come from our own attachments alone: one from elsewhere would tell its host who reads the incident
and when, so it is shown as a link.

CommonMark with tables, strikethrough, `- [ ]` tasks and bare http addresses as links. Work is bounded: at most `SOURCE_MAX`
characters are read, and nesting ends at 20 levels.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

import nh3
from django.utils.safestring import SafeString
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from midwatch.core.text import clean, without_controls

SOURCE_MAX = 60_000  # characters; the worst text that we found takes a second of one core
CACHED_CHARACTERS_MAX = 2_000  # of a text whose HTML is kept: entries of a timeline are shown again and again
TOP_HEADING = 3  # `#` becomes <h3>: the page around it has its own <h1> and <h2>
OUR_PICTURE = re.compile(r"/(?:[\w-]+/)+files/\d+(?:/[\w.%~-]+)?")  # core.files: an address ends in files/<id>/<name>

TAGS = {
    "a", "blockquote", "br", "code", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "img", "li", "ol", "p", "pre",
    "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
ATTRIBUTES = {
    "a": {"href", "title"},
    "img": {"src", "alt", "title", "loading"},
    "ol": {"start"},
    "td": {"align"},
    "th": {"align"},
}
SCHEMES = {"http", "https", "mailto", "tel"}
LINK_REL = "noopener noreferrer nofollow"
_BARE = re.compile(r"\bhttps?://[^\s<>\"'`|]{1,2000}", re.IGNORECASE)
_AFTER_ADDRESS = ".,;:!?)]}*_~"
_ALIGNED = re.compile(r"text-align:(left|right|center)")
_TASK = re.compile(r"\[([ xX])\] ")
_SPACE = re.compile(r"\n{3,}")


def render(text: str) -> SafeString:
    """The text as HTML. Put it in an element with class `prose`."""
    return _kept(text) if len(text) <= CACHED_CHARACTERS_MAX else _rendered(text)


def plain(text: str, at_most: int = SOURCE_MAX) -> str:
    """The same text without marks, for mails, SMS and feeds; a link keeps its address in brackets."""
    written = "".join(_words(_parser().parse(_source(text)), []))
    return clean(_SPACE.sub("\n\n", written).strip(), at_most)


@lru_cache(512)
def _kept(text: str) -> SafeString:
    return _rendered(text)


def _rendered(text: str) -> SafeString:
    html = nh3.clean(
        _parser().render(_source(text)),
        tags=TAGS,
        attributes=ATTRIBUTES,
        attribute_filter=_attribute,
        url_schemes=SCHEMES,
        link_rel=LINK_REL,
        strip_comments=True,
    )
    return SafeString(without_controls(html))  # once more: `&#x202e;` is decoded by now


def _source(text: str) -> str:
    return clean(text, SOURCE_MAX)


def _attribute(tag: str, name: str, value: str) -> str | None:
    """The last word on an attribute that the list lets through."""
    match tag, name:
        case "img", "src":
            return value if OUR_PICTURE.fullmatch(value) else None
        case (("td" | "th"), "align"):
            return value if value in {"left", "right", "center"} else None
        case _:
            return value


@lru_cache(1)
def _parser() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False, "maxNesting": 20}).enable(["table", "strikethrough"])
    made.core.ruler.push("midwatch", _ours)
    made.add_render_rule("image", _image)
    return made


def _ours(state: StateCore) -> None:
    """Headings below the page's own, aligned cells without `style`, tasks, bare addresses."""
    for before, token in pairwise([Token("", "", 0), *state.tokens]):
        match token.type:
            case "heading_open" | "heading_close":
                token.tag = f"h{min(6, int(token.tag[1]) + TOP_HEADING - 1)}"
            case "th_open" | "td_open":
                found = _ALIGNED.search(str(token.attrs.pop("style", "")))
                if found is not None:
                    token.attrs["align"] = found[1]
            case "inline" if token.children:
                token.children = list(_linked(token.children))
                if before.type == "paragraph_open" and before.level >= 2:
                    _tick(token.children[0])
            case _:
                pass


def _tick(first: Token) -> None:
    """`- [x] done` in a list: a box as a character, since a form's control that does nothing would be a riddle."""
    found = _TASK.match(first.content) if first.type == "text" else None
    if found is not None:
        first.content = ("\N{BALLOT BOX} " if found[1] == " " else "\N{BALLOT BOX WITH CHECK} ") + first.content[4:]


def _linked(children: Sequence[Token]) -> Iterator[Token]:
    inside = 0
    for token in children:
        inside += (token.type == "link_open") - (token.type == "link_close")
        if inside or token.type != "text" or "://" not in token.content:
            yield token
        else:
            yield from _with_links(token.content)


def _with_links(text: str) -> Iterator[Token]:
    at = 0
    for found in _BARE.finditer(text):
        address = found[0].rstrip(_AFTER_ADDRESS)
        if found[0].startswith(address + ")") and address.count("(") > address.count(")"):
            address += ")"
        if at < found.start():
            yield Token("text", "", 0, content=text[at : found.start()])
        yield Token("link_open", "a", 1, attrs={"href": address})
        yield Token("text", "", 0, content=address)
        yield Token("link_close", "a", -1)
        at = found.start() + len(address)
    yield Token("text", "", 0, content=text[at:])


def _image(self: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: MutableMapping[str, Any]) -> str:
    """Our own attachments as pictures; what lies elsewhere as a link to it."""
    token = tokens[index]
    words = self.renderInlineAsText(token.children, options, env)
    if OUR_PICTURE.fullmatch(str(token.attrs["src"])):
        token.attrs["alt"] = words
        token.attrs["loading"] = "lazy"
        return self.renderToken(tokens, index, options, env)
    shown = Token("link_open", "a", 1, attrs={"href": token.attrs["src"]})
    link = self.renderToken([shown], 0, options, env)
    return f"{link}{_escaped(words) or 'picture'}</a>"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _words(tokens: Iterable[Token], lists: list[int]) -> Iterator[str]:
    """A line or a blank line for each block. `lists`: those that are open; the number of the next item, 0 for a dot."""
    address, shown = "", ""
    for token in tokens:
        match token.type:
            case "inline":
                yield from _words(token.children or [], lists)
            case "text" | "code_inline":
                shown += token.content
                yield token.content
            case "code_block" | "fence":
                yield f"{token.content}\n"
            case "softbreak" | "hardbreak" | "tr_close":
                yield "\n"
            case "image":
                yield f"{token.content or 'picture'} ({token.attrs['src']})"
            case "link_open":
                address, shown = str(token.attrs["href"]), ""
            case "link_close":
                yield "" if shown == address else f" ({address})"
            case "bullet_list_open" | "ordered_list_open":
                lists.append(int(token.attrs.get("start", 1)) if token.tag == "ol" else 0)
            case "bullet_list_close" | "ordered_list_close":
                lists.pop()
                yield "\n"
            case "list_item_open":
                yield "  " * (len(lists) - 1) + (f"{lists[-1]}. " if lists[-1] else "- ")
                lists[-1] += 1 if lists[-1] else 0
            case "paragraph_close" | "heading_close":
                yield "\n" if token.hidden or lists else "\n\n"
            case "td_close" | "th_close":
                yield "  "
            case "hr":
                yield "---\n\n"
            case _:
                pass
