"""Markdown from anybody: what it may become, and what it never becomes."""

from __future__ import annotations

import time
from html.parser import HTMLParser

import pytest
from django.template import Context, Template
from django.utils.safestring import SafeString
from hypothesis import given
from hypothesis import strategies as st

from midwatch.core.markdown import ATTRIBUTES, SOURCE_MAX, TAGS, plain, render


class Parts(HTMLParser):
    """What a browser would make of it."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))


def parts(html: str) -> list[tuple[str, dict[str, str]]]:
    parser = Parts()
    parser.feed(html)
    parser.close()
    return parser.found


def is_harmless(html: str) -> None:
    for tag, attributes in parts(html):
        assert tag in TAGS
        assert attributes.keys() <= ATTRIBUTES.get(tag, set()) | {"rel"}
        address = attributes.get("href", attributes.get("src", ""))
        scheme = address.partition(":")[0].lower().strip()
        assert ":" not in address or "/" in scheme or "#" in scheme or "?" in scheme or scheme in {
            "http", "https", "mailto", "tel",
        }, address  # fmt: skip


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)><math><mtext></table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=alert(1)&gt;\">",
    "<div><scr<script>ipt>alert(1)</scr</script>ipt></div>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe><base href=//evil.example>",
    "</div></main><form action=//evil.example><input name=password>",
    "[x](javascript:alert(1)) [y](JaVaScRiPt&colon;alert(1)) [z](&#106;avascript:alert(1)) [t](java\tscript:alert(1))",
    "[a](data:text/html;base64,PHNjcmlwdD4=) [b](vbscript:x) [c](file:///etc/passwd) [d](blob:x)",
    "![a](data:image/svg+xml,<svg/onload=alert(1)>) ![b](javascript:alert(1))",
    "<javascript:alert(1)> <data:text/html,x>",
    '[x](https://a.example "t\\" onmouseover=alert(1) x=\\"")',
    "[x]: javascript:alert(1)\n\n[x] ![x]",
    '```"><script>alert(1)</script>\ncode\n```',
    "``` x\" onload=\"alert(1)\ncode\n```",
    "| a |\n|:-|\n| <script>alert(1)</script> |",
    "https://a.example/\"onmouseover=alert(1) https://a.example/'><script>",
    "![x](/incidents/1/files/2/a.png\" onerror=\"alert(1))",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_hostile_becomes_text(text: str) -> None:
    html = render(text)
    is_harmless(html)
    assert isinstance(html, SafeString)


PIECES = [*"<>\"'&;:/()[]!`*_~#|-= \n\taxjs1", "\\", "javascript:", "<script>", "&#106;"]


@given(st.lists(st.sampled_from(PIECES), max_size=80))
def test_nothing_else_comes_out(pieces: list[str]) -> None:
    text = "".join(pieces)
    is_harmless(render(text))
    plain(text)


def test_what_people_write() -> None:
    html = render(
        "# Impact\n\n**All** _payments_ ~~failed~~, `curl <x>`\n\n- [ ] tell Bo\n- [x] roll back\n\n1. a\n\n> said"
    )
    assert "<h3>Impact</h3>" in html
    assert "<strong>All</strong> <em>payments</em> <s>failed</s>, <code>curl &lt;x&gt;</code>" in html
    assert "<li>\N{BALLOT BOX} tell Bo</li>" in html
    assert "<li>\N{BALLOT BOX WITH CHECK} roll back</li>" in html
    assert "<blockquote>" in html
    table = render("| a | b |\n|:--|--:|\n| 1 | 2 |")
    assert '<td align="left">1</td>' in table
    assert '<td align="right">2</td>' in table
    assert "style" not in table


def test_links_say_nothing_about_us() -> None:
    html = render(
        "See https://g.example/d/x_(1)?a=1&b=2, [here](/alerts/3) and `https://in.code.example`. www.x.example"
    )
    links = [attributes for tag, attributes in parts(html) if tag == "a"]
    assert [link["href"] for link in links] == ["https://g.example/d/x_(1)?a=1&b=2", "/alerts/3"]
    assert {link["rel"] for link in links} == {"noopener noreferrer nofollow"}


def test_pictures_are_our_own_attachments() -> None:
    html = render(
        "![graph](/incidents/4/files/12/a.png) ![spy](https://evil.example/1.png) ![](//evil.example/2.png) ![act](/logout)"
    )
    pictures = [attributes for tag, attributes in parts(html) if tag == "img"]
    assert pictures == [{"src": "/incidents/4/files/12/a.png", "alt": "graph", "loading": "lazy"}]
    assert ">spy</a>" in html
    for address in (
        "/files/1",
        "//evil.example/files/1",
        "/\\evil.example/files/1",
        "/a/../files/1",
        "https:/a/files/1",
        "/a/files/1?x",
    ):
        assert "<img" not in render(f"![x]({address})"), address


def test_words_do_not_run_backwards() -> None:
    for text in (
        "rm \u202egnp.exe",
        "rm &#x202e;gnp.exe",
        "rm &#8294;x",
        "[a\u2066](https://a.example)",
        "a\u061cb",
        "x\ud800y",
    ):
        shown = render(text) + plain(text)
        assert not set(shown) & set("\u202e\u2066\u061c\ud800"), ascii(shown)


def test_plain_is_what_a_mail_says() -> None:
    text = "# What *happened*\n\nSee [the graph](https://g.example), https://h.example.\n\n- one\n- two\n  1. a\n\n```\ncode\n```"
    assert plain(text) == (
        "What happened\n\nSee the graph (https://g.example), https://h.example.\n\n- one\n- two\n  1. a\n\ncode"
    )
    assert plain("**x** " * 100, 20) == "x x x x x x x x x x\u2026"[:19] + "\u2026"
    assert plain("| a | b |\n|-|-|\n| 1 | 2 |") == "a  b  \n1  2"


@pytest.mark.parametrize(
    "unit", ["![", "[a](", "*a ", "> ", "- ", "|\n", "&", "# a\n"]
)  # fmt: skip
def test_a_megabyte_costs_no_more_than_the_limit(unit: str) -> None:
    """Steered by CPU time within one run: the most that a text may cost is what the same marks cost at the limit."""
    text = unit * (1_000_000 // len(unit))
    started = time.process_time()
    render(text[:SOURCE_MAX])
    limit = time.process_time() - started
    started = time.process_time()
    html = render(text)
    assert time.process_time() - started < 3 * limit + 0.5
    assert len(html) <= 20 * SOURCE_MAX
    is_harmless(html)


def test_deep_nesting_ends() -> None:
    for text in (
        "> " * 5_000 + "x",
        "".join("  " * level + "- x\n" for level in range(200)),
        "*_" * 5_000,
        "[" * 5_000 + "x" + "](a)" * 5_000,
    ):
        assert render(text).count("<blockquote>") <= 20
        plain(text)


def test_the_filter() -> None:
    page = Template("{% load ui %}<div class='prose'>{{ text|markdown }}</div>")
    assert (
        page.render(Context({"text": "**a** <b>"})) == "<div class='prose'><p><strong>a</strong> &lt;b&gt;</p>\n</div>"
    )
    assert page.render(Context({"text": None})) == "<div class='prose'></div>"
