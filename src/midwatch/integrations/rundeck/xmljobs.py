"""Jobs as the project archive holds them (XML) in the shape of the YAML ones. Pure.

After rundeck's XmlParserUtil.toObject and JobsXMLCodec.convertXMapToJobMap.
"""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

TEXT = "<text>"
_FLAGS = ("scheduleEnabled", "executionEnabled", "nodeFilterEditable", "multipleExecutions")
_OPTION_FLAGS = ("required", "multivalued", "secure", "valueExposed", "isDate", "hidden", "multivaluedAllSelected")
_SCRIPTS = ("script", "scriptfile", "scripturl")


def jobs(root: Element) -> list[Any]:
    """Of a <joblist>. An element that is no job is left as it is, to be refused with its reason later."""
    return [_job(found) if isinstance(found := plain(one), dict) else found for one in root if one.tag == "job"]


def plain(element: Element) -> Any:
    """Text alone is a text; attributes and children are keys; a child that comes twice is a list."""
    found: dict[str, Any] = dict(element.attrib)
    for child in element:
        value = plain(child)
        if child.tag in found:
            kept = found[child.tag]
            found[child.tag] = [*kept, value] if isinstance(kept, list) else [kept, value]
        else:
            found[child.tag] = value
    text = element.text or ""
    if not found:
        return text
    if text.strip() and not len(element):
        found[TEXT] = text
    return found


def _job(job: dict[str, Any]) -> dict[str, Any]:
    context = job.pop("context", None)
    if isinstance(context, dict):
        if "project" in context:
            job["project"] = context["project"]
        options = context.get("options")
        if isinstance(options, dict):
            job["options"] = [_option(one) for one in _listed(options.get("option")) if isinstance(one, dict)]
    for key in _FLAGS:
        if key in job:
            job[key] = _flag(job[key])
    logging = job.pop("logging", None)
    if isinstance(logging, dict):
        job["loglimit"] = logging.get("limit")
        job["loglimitAction"] = logging.get("limitAction", "halt")
    dispatch = job.pop("dispatch", None)
    if isinstance(dispatch, dict):
        filters = job.get("nodefilters")
        job["nodefilters"] = {**(filters if isinstance(filters, dict) else {}), "dispatch": dispatch}
    retry = job.get("retry")
    if isinstance(retry, dict):
        job["retry"] = {"retry": retry.get(TEXT), "delay": retry.get("delay")}
    _schedule(job.get("schedule"))
    sequence = job.get("sequence")
    if isinstance(sequence, dict):
        _sequence(sequence)
    notification = job.get("notification")
    for told in notification.values() if isinstance(notification, dict) else ():
        if isinstance(told, dict):
            _notified(told)
    return job


def _schedule(schedule: Any) -> None:
    month = schedule.get("month") if isinstance(schedule, dict) else None
    if isinstance(month, dict):
        if "day" in month:
            schedule["dayofmonth"] = {"day": month["day"]}
        schedule["month"] = month.get("month")
    year = schedule.get("year") if isinstance(schedule, dict) else None
    if isinstance(year, dict):
        schedule["year"] = year.get("year")


def _sequence(sequence: dict[str, Any]) -> None:
    sequence["commands"] = [_command(one) for one in _listed(sequence.pop("command", None))]
    sequence["keepgoing"] = _flag(sequence.get("keepgoing", False))


def _command(command: Any) -> Any:
    if not isinstance(command, dict):
        return command
    if any(key in command for key in _SCRIPTS):
        if "scriptargs" in command:
            command["args"] = command.pop("scriptargs")
        interpreter = command.pop("scriptinterpreter", None)
        if isinstance(interpreter, dict):
            command["interpreterArgsQuoted"] = _flag(interpreter.get("argsquoted", False))
            interpreter = interpreter.get(TEXT)
        if interpreter:
            command["scriptInterpreter"] = interpreter
    jobref = command.get("jobref")
    if isinstance(jobref, dict):
        arg = jobref.pop("arg", None)
        if isinstance(arg, dict):
            jobref["args"] = arg.get("line", "")
        dispatch = jobref.pop("dispatch", None)
        filters = jobref.get("nodefilters")
        if isinstance(filters, dict) and dispatch is not None:
            filters["dispatch"] = dispatch
    for key, is_node_step in (("node-step-plugin", True), ("step-plugin", False)):
        plugin = command.pop(key, None)
        if isinstance(plugin, dict):
            command |= {"nodeStep": is_node_step, "type": plugin.get("type"), "configuration": _entries(plugin)}
    handler = command.get("errorhandler")
    if isinstance(handler, dict):
        _command(handler)
        if "keepgoingOnSuccess" in handler:
            handler["keepgoingOnSuccess"] = _flag(handler["keepgoingOnSuccess"])
    return command


def _option(option: dict[str, Any]) -> dict[str, Any]:
    values = option.get("values")
    if isinstance(values, str):
        option["values"] = values.split(option.get("valuesListDelimiter") or ",")
    if "enforcedvalues" in option:
        option["enforced"] = _flag(option.pop("enforcedvalues"))
    for key in _OPTION_FLAGS:
        if key in option:
            option[key] = _flag(option[key])
    if isinstance(option.get("config"), dict):
        option["config"] = _entries({"configuration": option["config"]})
    return option


def _notified(told: dict[str, Any]) -> None:
    webhook = told.pop("webhook", None)
    if isinstance(webhook, dict):
        told |= webhook
    for plugin in _listed(told.get("plugin")):
        if isinstance(plugin, dict):
            plugin["configuration"] = _entries(plugin)


def _entries(plugin: dict[str, Any]) -> dict[str, Any]:
    configuration = plugin.get("configuration")
    if not isinstance(configuration, dict):
        return {}
    entries = _listed(configuration.get("entry"))
    found = {
        str(one["key"]): one.get("value", one.get(TEXT)) for one in entries if isinstance(one, dict) and "key" in one
    }
    return found or configuration


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None or value == "" else [value]


def _flag(value: Any) -> bool:
    return str(value).strip().lower() == "true"
