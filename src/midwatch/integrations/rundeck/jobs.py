"""A job as a runbook: what it asks, does and tells, and what became of each part of it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from midwatch.core.foreign import as_yaml
from midwatch.integrations.rundeck import nodes, options, schedule, steps
from midwatch.integrations.rundeck.drafts import Draft, Step, flag, listed, word
from midwatch.integrations.rundeck.nodes import Node
from midwatch.integrations.rundeck.steps import Around
from midwatch.integrations.rundeck.variables import Known, in_setting

CONCURRENCY_MAX = 100
TARGETS_MAX = 200
# Of no meaning here, and nothing is lost with them.
NEEDLESS = {"id", "uuid", "name", "group", "project", "description", "defaultTab", "nodesSelectedByDefault", "loglevel",
            "nodeFilterEditable", "user", "userRoleList", "roles", "scheduleOwner", "averageDuration"}  # fmt: skip
TAKEN = {"options", "schedule", "nodefilters", "sequence", "notification", "timeout", "retry", "retryDelay", "loglimit",
         "loglimitAction", "loglimitStatus", "multipleExecutions", "maxMultipleExecutions", "executionEnabled",
         "scheduleEnabled", "timeZone"}  # fmt: skip
TOLD = {"onsuccess": "when it succeeded", "onfailure": "when it failed", "onstart": "when it began",
        "onavgduration": "when it took longer than usual", "onretryablefailure": "when a try failed"}  # fmt: skip
_SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}


@dataclass(frozen=True, slots=True)
class Job:
    """`name`: of the runbook it becomes."""

    name: str
    origin: str
    value: Mapping[str, Any]

    @property
    def key(self) -> str:
        return word(self.value, "uuid", 100) or word(self.value, "id", 100)


def draft(job: Job, kind: str, known_nodes: Sequence[Node], runbook_of: Callable[[Mapping[str, Any]], str]) -> Draft:
    """`kind`: of the steps that run, `auto` as in Rundeck or `run` (a person presses each)."""
    value = job.value
    title = " ".join(word(value, "name", 200).split())
    made = Draft(
        job.name, title, job.key, word(value, "group", 300).strip("/"), word(value, "project", 100), job.origin
    )
    about = word(value, "description", 20_000).strip()
    if about:
        made.said.append(about)
    options.read(value.get("options"), made)
    fixed = {"name": made.title, "group": made.group, "project": made.project, "id": job.key}
    around = Around(kind, Known({one.theirs: one.name for one in made.options}, fixed), runbook_of=runbook_of)
    _where(value, made, around, known_nodes)
    sequence = value.get("sequence")
    sequence = sequence if isinstance(sequence, Mapping) else {"commands": sequence}
    _flow(value, sequence, made, around)
    steps.read(sequence.get("commands"), made, around)
    if not made.steps:
        made.steps.append(
            Step("look", "The job had no step", "manual", language="", prose=["Write what is to be done."])
        )
        made.note("sequence", "manual", "it has no step")
    _limits(value, made)
    _plan(value, made)
    _tell(value.get("notification"), made)
    for key in sorted(str(key) for key in set(value) - NEEDLESS - TAKEN):
        if value[key] not in (None, "", {}, [], {"ExecutionLifecycle": None}):
            made.note(key[:100], "dropped", "there is nothing like it here")
    return made


def _where(value: Mapping[str, Any], made: Draft, around: Around, known_nodes: Sequence[Node]) -> None:
    filters = value.get("nodefilters")
    around.where = nodes.filter_of(filters)
    if not around.where:
        return
    found = nodes.chosen(known_nodes, around.where) if known_nodes else None
    if found:
        around.targets = [node.target for node in found[:TARGETS_MAX]]
        made.note("nodefilters", "near", f"{around.where}: {len(found)} nodes of the resources as they are now")
    else:
        why = "no node of the resources" if found is not None else "import the resources with it to have them named"
        made.note("nodefilters", "manual", f"{around.where}: {why}")
    dispatch = filters.get("dispatch") if isinstance(filters, Mapping) else None
    if isinstance(dispatch, Mapping):
        for key in ("threadcount", "rankAttribute", "rankOrder", "keepgoing", "successOnEmptyNodeFilter"):
            if word(dispatch, key) not in {"", "false", "False", "1"}:
                made.note(f"nodefilters.dispatch.{key}", "dropped", "targets are done as the ssh step says")


def _flow(value: Mapping[str, Any], sequence: Mapping[str, Any], made: Draft, around: Around) -> None:
    around.does_keep_going = flag(sequence, "keepgoing")
    strategy = word(sequence, "strategy", 50)
    commands = listed(sequence.get("commands"))
    if strategy == "ruleset":
        rules = sequence.get("pluginConfig")
        text = "Rundeck ran the steps by rules, which it sells. Read them, and press only what they say."
        made.steps.append(Step("rules", "Read the rules", "manual", language="yaml", body=as_yaml(rules), prose=[text]))
        around.kind = "run"
        made.note("sequence.strategy ruleset", "manual", "a person reads the rules and presses each step")
    elif strategy == "parallel" and len(commands) > 1:
        made.note("sequence.strategy parallel", "near", "steps run one after the other")
    elif strategy == "node-first" and len(commands) > 1 and around.where:
        made.note("sequence.strategy node-first", "near", "each step runs on all targets before the next step begins")
    plugins = sequence.get("pluginConfig")
    if isinstance(plugins, Mapping) and plugins.get("LogFilter"):
        made.note("sequence.pluginConfig.LogFilter", "dropped", "`captures` of a step takes values from its output")
    _retry(value, len(commands), made, around)
    timeout = word(value, "timeout", 100).strip()
    if not timeout:
        return
    seconds = _duration(timeout)
    if seconds is None:
        made.note("timeout", "dropped", f"{in_setting(timeout, around.known)}: write it at the steps")
        return
    around.timeout = f"{max(1, seconds)}s"
    if len(commands) > 1:
        made.note("timeout", "near", f"{timeout} for the whole job: here for each step")
    else:
        made.note("timeout", "same")


def _retry(value: Mapping[str, Any], count: int, made: Draft, around: Around) -> None:
    retry = value.get("retry")
    times = word(retry, "retry") if isinstance(retry, Mapping) else word(value, "retry")
    delay = word(retry, "delay") if isinstance(retry, Mapping) else word(value, "retryDelay")
    if times in {"", "0"}:
        return
    seconds = _duration(delay) if delay else 0
    if not times.isascii() or not times.isdigit() or seconds is None:
        made.note("retry", "dropped", f"{times[:50]} {delay[:50]}: write it at the steps")
    elif count != 1:
        made.note("retry", "dropped", "the whole job began again: here a step is tried again (`retry`), choose which")
    else:
        around.retries = min(int(times[:4]), 20)
        around.retry_delay = f"{seconds}s" if seconds else ""
        made.note("retry", "same")


def _duration(text: str) -> int | None:
    """`120` (seconds), `6h 30m`, `1d`."""
    total = 0
    for one in text.lower().split():
        number, unit = (one, "s") if one.isdigit() else (one[:-1], one[-1:])
        if not (number.isascii() and number.isdigit() and len(number) < 9 and unit in _SECONDS):
            return None
        total += int(number) * _SECONDS[unit]
    return total


def _limits(value: Mapping[str, Any], made: Draft) -> None:
    if flag(value, "multipleExecutions"):
        most = word(value, "maxMultipleExecutions", 10)
        made.concurrency = (
            min(int(most), CONCURRENCY_MAX) if most.isascii() and most.isdigit() and int(most) else CONCURRENCY_MAX
        )
        made.note("multipleExecutions", "same", f"at most {made.concurrency} at once")
    if word(value, "loglimit"):
        made.note("loglimit", "dropped", f"{word(value, 'loglimit', 50)}: the installation has one limit for all steps")
    if not flag(value, "executionEnabled", default=True):
        made.is_active = False
        made.note("executionEnabled", "same", "it is turned off")


def _plan(value: Mapping[str, Any], made: Draft) -> None:
    given = value.get("schedule")
    found = schedule.read(given) if isinstance(given, Mapping) else None
    if found is None:
        return
    zone = word(value, "timeZone", 60)
    off = "" if flag(value, "scheduleEnabled", default=True) else "; it was turned off in Rundeck"
    shown = f"`{found.cron}`{f' ({zone})' if zone else ''}"
    made.schedule, made.time_zone = found.cron, zone
    made.said.append(
        f"Rundeck started it by the schedule `{found.quartz}`" + (f", in cron's words {shown}." if found.cron else ".")
    )
    if found.cron:
        made.note("schedule", "manual", f"start it by a schedule trigger: {found.cron} {zone}".rstrip() + off
                  + (f"; left out: {found.lost}" if found.lost else ""))  # fmt: skip
    else:
        made.note("schedule", "manual", f"{found.quartz}: {found.problem}{off}")


def _tell(value: Any, made: Draft) -> None:
    """Executions are on the timeline of their incident and can page; who was told before is kept in words."""
    if not isinstance(value, Mapping):
        return
    lines = []
    for moment, told in value.items():
        for one in listed(told):
            if isinstance(one, Mapping):
                lines += [f"- {TOLD.get(str(moment), str(moment)[:50])}: {who}" for who in _whom(one)]
    if lines:
        made.said.append("Rundeck told others:\n\n" + "\n".join(lines[:50]))
        made.note("notification", "manual", f"{len(lines)} of them: subscribe to the execution's events instead")


def _whom(one: Mapping[str, Any]) -> list[str]:
    found = []
    if isinstance(one.get("email"), Mapping):
        found.append(f"e-mail to {word(one['email'], 'recipients', 500)}")
    elif word(one, "recipients"):
        found.append(f"e-mail to {word(one, 'recipients', 500)}")
    if word(one, "urls"):
        found.append(f"a webhook to {_host(word(one, 'urls', 2_000))}")
    found += [
        f"the plugin {word(plugin, 'type', 100)}" for plugin in listed(one.get("plugin")) if isinstance(plugin, Mapping)
    ]
    return found


def _host(urls: str) -> str:
    """Addresses of webhooks carry keys: where they lead is enough."""
    return ", ".join(
        url.strip().partition("://")[2].partition("/")[0].rpartition("@")[2] for url in urls.split(",")[:10]
    )
