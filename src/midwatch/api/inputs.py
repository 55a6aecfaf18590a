"""What the API takes: bodies, and the parameters that several addresses share."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from ninja import Query, Schema
from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema, create_model

from midwatch.api.moments import Moment
from midwatch.api.pages import LIMIT_DEFAULT, LIMIT_MAX
from midwatch.core.durations import parse as length_of
from midwatch.core.integration import DESCRIPTION_MAX

TITLE_INPUT_MAX = 100_000  # longer titles are refused; up to here they are cut at 1,000 characters
PRIORITIES = ("P1", "P2", "P3", "P4", "P5")


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def _length(value: Any) -> Any:
    return length_of(value) if isinstance(value, str) else value


Priority = Annotated[Literal["P1", "P2", "P3", "P4", "P5"], BeforeValidator(_upper)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=63)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Length = Annotated[timedelta, BeforeValidator(_length), WithJsonSchema({"type": "string", "example": "2h"})]
Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX, description=f"1 to {LIMIT_MAX}, default {LIMIT_DEFAULT}")]
Cursor = Annotated[str, Query(description="`next_cursor` of the page before")]
AlertNumber = Annotated[int, Field(ge=1, lt=2**63)]


class Body(Schema):
    """Fields that are not known are refused: a misspelt one would be silently without effect."""

    model_config = ConfigDict(extra="forbid")


class PageSomebody(Body):
    """Whom: exactly one of `team`, `service`, `schedule`, `user`."""

    title: Annotated[Text, Field(max_length=TITLE_INPUT_MAX, description="Cut at 1,000 characters.")]
    priority: Priority = "P1"
    description: Annotated[str, Field(max_length=DESCRIPTION_MAX)] = ""
    team: Name | None = None
    service: Name | None = None
    schedule: Name | None = None
    user: Name | None = None


class ForSomebody(Body):
    """`user`: act for somebody else, as their manager or as an administrator; both names are kept."""

    user: Name | None = None


class Nothing(Body):
    """No fields; the body may be left out."""


class Snooze(Body):
    """`until` a moment, or `for` a length; without either, an hour."""

    until: Moment | None = None
    length: Annotated[Length | None, Field(alias="for")] = None


class Note(Body):
    text: Annotated[Text, Field(max_length=2_000)]


class Person(Body):
    user: Name


class ChangePriority(Body):
    priority: Priority


class NewOverride(Body):
    """`kind` replace: `user` instead of `replaces` (left out: of everybody); add; remove: `replaces` is not on call."""

    kind: Literal["replace", "add", "remove"] = "replace"
    user: Name | None = None
    replaces: Name | None = None
    starts_at: Moment | None = None
    ends_at: Moment
    reason: Annotated[str, Field(max_length=300)] = ""


class NewMaintenance(Body):
    service: Name
    starts_at: Moment | None = None
    ends_at: Moment
    reason: Annotated[str, Field(max_length=300)] = ""


class SectionText(Body):
    """`revision`: the one that the text began from, as it was read."""

    text: Annotated[str, Field(max_length=50_000)]
    revision: Annotated[int, Field(ge=0, lt=2**31)]


class Waiver(Body):
    why: Annotated[Text, Field(min_length=10, max_length=500)]


class TestPage(Body):
    """`contact_method`: by this one alone; left out: by the person's rules."""

    contact_method: Name | None = None


def list_of(item: type[Schema]) -> Any:
    """The class of a page of `item`s."""
    name = f"{item.__name__.removesuffix('Out')}List"
    return create_model(name, __base__=Schema, items=(list[item], ...), next_cursor=(str | None, None))  # type: ignore[valid-type]
