"""Finding: a vendor is a folder, a capability is a file in it."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Mapping
from functools import cache
from typing import Any, cast

from midwatch.core.integration.events import Source
from midwatch.core.integration.guarded import GuardedRunner
from midwatch.core.integration.importers import Importer
from midwatch.core.integration.messages import NULL_CHANNEL, Channel, Inbound
from midwatch.core.integration.rooms import Chat, Publisher
from midwatch.core.integration.runners import Runner

INTEGRATIONS_PACKAGE = "midwatch.integrations"


def vendors() -> list[str]:
    """The folders below `midwatch.integrations`, by name."""
    package = importlib.import_module(INTEGRATIONS_PACKAGE)
    return sorted(info.name for info in pkgutil.iter_modules(package.__path__) if info.ispkg)


def modules(capability: str) -> list[Any]:
    """Every folder's file of this name."""
    found = []
    for vendor in vendors():
        name = f"{INTEGRATIONS_PACKAGE}.{vendor}.{capability}"
        if importlib.util.find_spec(name) is not None:
            found.append(importlib.import_module(name))
    return found


@cache
def sources() -> Mapping[str, Source]:
    """Source modules by type."""
    return {module.TYPE: cast(Source, module) for module in modules("source")}


@cache
def channels() -> Mapping[str, Channel]:
    """Channel modules by contact method type."""
    return {type_: cast(Channel, module) for module in modules("channel") for type_ in module.TYPES}


@cache
def senders() -> Mapping[str, Channel]:
    """What messages can go by: the channels people choose from, and the canary's, which leads nowhere."""
    return {**channels(), NULL_CHANNEL: cast(Channel, importlib.import_module("midwatch.core.null_channel"))}


@cache
def inbounds() -> Mapping[str, Inbound]:
    """Callback modules by provider."""
    return {module.PROVIDER: cast(Inbound, module) for module in modules("inbound")}


@cache
def chats() -> Mapping[str, Chat]:
    """Chat modules by provider."""
    return {module.PROVIDER: cast(Chat, module) for module in modules("chat")}


@cache
def publishers() -> Mapping[str, Publisher]:
    """Modules that publish at a page elsewhere, by provider."""
    return {module.PROVIDER: cast(Publisher, module) for module in modules("publisher")}


@cache
def runners() -> Mapping[str, Runner]:
    """What does steps of runbooks, by the word of `executor`. Each is guarded: what it says has no secret in it."""
    return {module.EXECUTOR: GuardedRunner(module) for module in modules("runner")}


@cache
def importers() -> Mapping[str, Importer]:
    """Importer modules by the word of `midwatch import`."""
    return {module.PRODUCT: cast(Importer, module) for module in modules("importer")}
