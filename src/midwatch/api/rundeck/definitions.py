"""Runbooks as definitions of jobs, for tools that keep them or look into them; and back, exactly.

A shell step is a script that a Rundeck could run. Every other one is a step of a plugin that only we have (`OURS`), which
our importer reads back as the step it was.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from midwatch.api.rundeck.door import Json
from midwatch.api.rundeck.words import Known
from midwatch.prepare.runbooks.document import Document, Option, Step, parse
from midwatch.prepare.runbooks.models import Runbook

OURS = "midwatch-step"
SHELLS = {"sh", "bash"}
PLAIN = {"name", "title", "kind", "executor"}
_VARIABLE = re.compile(r"\bOPTION_([A-Z0-9_]+)\b")
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def definition(runbook: Runbook, known: Known) -> Json:
    document = document_of(runbook)
    is_simple = all(set(step.attributes) <= PLAIN for step in document.steps)  # no step names another
    uuid = known.uuid(runbook)
    found: Json = {
        "defaultTab": "nodes",
        "description": document.title or runbook.title,
        "executionEnabled": runbook.is_active,
        "group": known.group(runbook),
        "id": uuid,
        "loglevel": "INFO",
        "multipleExecutions": runbook.concurrency_max > 1,
        "name": runbook.name,
        "nodeFilterEditable": False,
        "options": [_option(one) for one in document.front.options],
        "project": runbook.team.name,
        "scheduleEnabled": True,
        "sequence": {
            "commands": [_command(step, is_simple=is_simple) for step in document.steps],
            "keepgoing": False,
            "strategy": "node-first",
        },
        "uuid": uuid,
    }
    if runbook.concurrency_max > 1:
        found["maxMultipleExecutions"] = str(runbook.concurrency_max)
    return {key: value for key, value in found.items() if value not in ("", [])}


def document_of(runbook: Runbook) -> Document:
    return parse(runbook.current.body if runbook.current is not None else "")


def _option(one: Option) -> Json:
    found: Json = {"name": one.name}
    if one.title:
        found["label"] = one.title
    if one.description:
        found["description"] = one.description
    if one.default and not one.is_secret:
        found["value"] = one.default
    if one.is_required:
        found["required"] = True
    if one.is_secret:
        found |= {"secure": True, "storagePath": f"keys/{one.default or one.name}"}
    elif one.values:
        found |= {"values": list(one.values), **({"enforced": True} if one.is_enforced else {})}
    if one.values_url:
        found["valuesUrl"] = one.values_url
    if one.pattern:
        found["regex"] = one.pattern
    if one.is_multiple:
        found |= {"multivalued": True, "delimiter": one.delimiter}
    if one.type == "date":
        found |= {"isDate": True, "dateFormat": "YYYY-MM-DD"}
    return found


def _command(step: Step, *, is_simple: bool) -> Json:
    is_script = is_simple and step.executor == "local" and step.kind == "auto" and step.language in SHELLS
    if is_script:
        script = _VARIABLE.sub(r"RD_OPTION_\1", step.body)
        shell = {} if step.language == "sh" else {"scriptInterpreter": step.language}
        return {"description": step.title, "script": script, **shell}
    attributes = {**step.attributes, "name": step.name, "kind": step.kind, "executor": step.executor}
    configuration = {"language": step.language, "body": step.body, "attributes": attributes}
    return {"description": step.title, "type": OURS, "nodeStep": False, "configuration": configuration}


def as_xml(definitions: Sequence[Json]) -> str:
    """A <joblist>, as far as clients read it: names, options, steps."""
    root = Element("joblist")
    for one in definitions:
        job = SubElement(root, "job")
        for key in ("id", "uuid", "name", "group", "description", "loglevel", "executionEnabled", "scheduleEnabled"):
            if key in one:
                SubElement(job, key).text = _words(one[key])
        context = SubElement(job, "context")
        SubElement(context, "project").text = _words(one["project"])
        options = SubElement(context, "options", preserveOrder="true")
        for option in one.get("options", ()):
            _xml_option(SubElement(options, "option"), option)
        sequence = SubElement(job, "sequence", keepgoing="false", strategy="node-first")
        for command in one["sequence"]["commands"]:
            _xml_command(SubElement(sequence, "command"), command)
    return tostring(root, encoding="unicode")


def as_element(tag: str, values: Mapping[str, Any]) -> str:
    """Plain values as children of one element."""
    root = Element(tag, id=_words(values.get("id", "")))
    for key, value in values.items():
        SubElement(root, key).text = _words(value)
    return tostring(root, encoding="unicode")


def _xml_option(element: Element, option: Mapping[str, Any]) -> None:
    for key, value in option.items():
        if key in {"description", "label"}:
            SubElement(element, key).text = _words(value)
        else:
            name = "enforcedvalues" if key == "enforced" else key
            element.set(name, ",".join(_words(one) for one in value) if isinstance(value, list) else _words(value))


def _xml_command(element: Element, command: Mapping[str, Any]) -> None:
    for key in ("description", "script"):
        if key in command:
            SubElement(element, key).text = _words(command[key])
    if "scriptInterpreter" in command:
        SubElement(element, "scriptinterpreter").text = _words(command["scriptInterpreter"])
    if "type" in command:
        plugin = SubElement(element, "step-plugin", type=_words(command["type"]))
        configuration = SubElement(plugin, "configuration")
        for key, value in command["configuration"].items():
            SubElement(configuration, "entry", key=key, value=_words(value))


def _words(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else _NOT_XML.sub("", str(value))
