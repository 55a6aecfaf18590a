"""Templates, what is missing, what changed."""

from __future__ import annotations

import pytest

from midwatch.core.differences import Line
from midwatch.learn.postmortems import sections
from midwatch.learn.postmortems.blameless import lint
from midwatch.learn.postmortems.sections import TemplateError, clean, differences, is_written, missing, newest


def test_every_template_is_read_and_its_file_says_its_version() -> None:
    for path in sections.PACKS.glob("*.yaml"):
        name, _, version = path.stem.rpartition("-")
        template = sections.templates()[name, int(version)]
        assert template.sections
        assert [section.kind for section in template.sections].count("actions") == 1


def test_the_standard_template_asks_for_what_the_practice_asks() -> None:
    keys = [section.key for section in newest("standard").sections]
    for key in ("impact", "clients", "timeline", "well", "lucky", "factors", "surprised", "actions", "why"):
        assert key in keys


def test_our_own_prompts_are_blameless() -> None:
    for template in sections.templates().values():
        for section in template.sections:
            for prompt in section.prompts:
                assert not lint(prompt), prompt


def test_an_unknown_template_is_refused_with_the_known_ones() -> None:
    with pytest.raises(TemplateError, match="short, standard"):
        newest("long")


def test_what_is_required_and_not_written() -> None:
    template = newest("short")
    assert [one.key for one in missing(template, {})] == ["summary", "factors", "lucky"]
    texts = {"summary": "It broke.", "factors": "<!-- how? -->\n- \n", "lucky": "TBD"}
    assert [one.key for one in missing(template, texts)] == ["factors", "lucky"]
    assert [one.key for one in missing(template, texts, answered=["lucky"])] == ["factors"]


@pytest.mark.parametrize("text", ["", " \n", "- \n- \n", "TBD", "todo...", "<!-- write here", "N/A", "…"])
def test_not_written(text: str) -> None:
    assert not is_written(text)


@pytest.mark.parametrize("text", ["None.", "0", "tbd by Friday: numbers of the shop", "`x`", "<!-- a --> b"])
def test_written(text: str) -> None:
    assert is_written(text)


def test_texts_are_kept_in_one_shape() -> None:
    assert clean("a\r\nb\rc\x00\n\n") == "a\nb\nc"
    assert clean("Nova\u0301k") == "Novák"
    assert clean("a\ud800b") == "a?b"
    assert len(clean("x" * (sections.TEXT_MAX + 5))) == sections.TEXT_MAX


def test_differences_are_lines() -> None:
    old = "one\ntwo\nthree\nfour\nfive\nsix\nseven"
    assert differences(old, old) == []
    assert differences("a\nb", "a\nc") == [Line(" ", "a"), Line("-", "b"), Line("+", "c")]
    assert differences("-- x\nb", "b") == [Line("-", "-- x"), Line(" ", "b")]  # no head of a file, a line that looks so
    assert Line("@", "") in differences(old, old.replace("one", "1").replace("seven", "7"))
