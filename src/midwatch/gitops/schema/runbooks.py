"""Runbook: the fields of its front matter, and its text. A Markdown file with front matter is such a document too."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from midwatch.core.written import documents
from midwatch.core.written.documents import Document, Fields, Scalar
from midwatch.core.written.values import Field, Reading, Table, Value, WrongError, at, boolean, reference, text_of
from midwatch.gitops.schema.api import API_VERSION
from midwatch.prepare.runbooks import front, shape
from midwatch.prepare.runbooks.actions.by_hand import executors
from midwatch.prepare.runbooks.document import BODY_MAX, split
from midwatch.prepare.runbooks.front import front_of, front_table
from midwatch.prepare.runbooks.reading import Reader

MARKDOWN: Final = (".md", ".markdown")
SHARED: Final = ("shell", "cwd", "category", "tag")  # Runme's, for all steps of a document
_IGNORED: Final = frozenset({"runme", "terminalRows", "skipPrompts"})


def _body(value: Value) -> str:
    found = text_of(value, "the runbook as Markdown, behind body: |")
    if len(found) > BODY_MAX:
        raise WrongError(f"longer than {BODY_MAX} characters", "make two runbooks of it", written="")
    return found


RUNBOOK: Table = {
    **front_table(reference("Service"), reference("Team"), reference("User")),
    **{key: front.RUNME_FIELDS[key] for key in SHARED},
    "isActive": Field(boolean, default=True),
    "body": Field(_body, default=""),
}


def finish_runbook(value: Value, spec: dict[str, Any]) -> dict[str, Any]:
    """Its steps are read, and what is wrong in them is told by line. `isTrusted`: from a directory, not from a text that
    came over the network; None of a link."""
    spec = front.finish(value, spec)
    body = at(value, "body")
    if spec["url"] and spec["body"].strip():
        body.complain(WrongError("a text beside an address", "write url or body", written=""))
    elif not spec["url"] and not spec["body"].strip():
        body.complain(
            WrongError("missing", "write the runbook as Markdown behind body: |, or the url of a page", written="")
        )
    if split(spec["body"])[0]:
        body.complain(WrongError("front matter in the body", "write its fields in the spec", written=""))
    if spec["body"] and not spec["body"].endswith("\n"):
        spec["body"] += "\n"
    _check_steps(body, spec)
    spec["title"] = spec["title"] or shape.heading_of(spec["body"]) or value.place.name
    spec["isTrusted"] = None if spec["url"] else value.reading.directory is not None
    return spec


def _check_steps(body: Value, spec: dict[str, Any]) -> None:
    found = Reading()
    node = body.node
    is_block = isinstance(node, Scalar) and node.written[:1] in {"|", ">"}
    reader = Reader(front_of(spec), found, executors())
    reader.blocks(spec["body"], node.line + (1 if is_block else 0))
    reader.checked()
    for problem in found.problems:
        step = " ".join(part for part in (problem.kind, problem.name) if part)
        text = ": ".join(part for part in (step, problem.field, problem.text) if part)
        place = replace(body.place, line=problem.line)
        body.reading.problems.append(place.problem(text))


def from_markdown(file: str, text: str) -> list[Document]:
    """A Markdown file with front matter as a document of kind Runbook; one without is none of ours. Its name is the front
    matter's, else the file's."""
    header, rest, first_line = split(text)
    if not header.strip():
        return []
    found = documents.documents_of(file, "\n" + header)
    if not found or not isinstance(found[0].root, Fields):
        return found
    given = found[0].root
    named = given.items.pop("name", None)
    stem = file.replace("\\", "/").rpartition("/")[2].rpartition(".")[0]
    body = Scalar(first_line, rest, False, text)  # `written`: the whole file, which is what is kept
    spec = Fields(
        given.line, {key: of for key, of in given.items.items() if key not in _IGNORED}, dict(given.key_lines)
    )
    spec.items["body"], spec.key_lines["body"] = body, first_line
    top: dict[str, documents.Node] = {
        "apiVersion": Scalar(1, API_VERSION, False, API_VERSION),
        "kind": Scalar(1, "Runbook", False, "Runbook"),
        "metadata": Fields(
            1, {"name": named or Scalar(1, stem, False, stem)}, {"name": given.key_lines.get("name", 1)}
        ),
        "spec": spec,
    }
    return [Document(file, 1, Fields(1, top, dict.fromkeys(top, 1)))]


def verbatim(value: Value) -> str:
    """The text of a Markdown file as it was written; "" of a YAML document."""
    node = at(value, "body").node
    is_file = isinstance(node, Scalar) and not node.is_plain and split(node.written)[0] != ""
    return node.written if is_file else ""
