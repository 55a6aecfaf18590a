"""How Midwatch sees by itself that something was done: a check that must pass, an alert that fired in a drill.

A proof is a small document, {"kind": "check", "name": "database.integrity"}. `ask` says whether it holds now and in which
words; other rooms add kinds of their own through `core.contribute.Proof`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from midwatch.core import contribute
from midwatch.core.contribute import Proof, Verdict
from midwatch.respond.alerts.models import Alert
from midwatch.respond.incidents.models import LinkedAlert


def checked(proof: Mapping[str, Any]) -> dict[str, Any]:
    """The proof as it is kept. Raises ValueError with a sentence."""
    known = kinds()
    kind = str(proof.get("kind", ""))
    if kind not in known:
        raise ValueError(f"{kind!r} is no kind of proof: give one of {', '.join(sorted(known))}")
    missing = [name for name in known[kind].fields if not str(proof.get(name, "")).strip()]
    if missing:
        raise ValueError(f"a proof by {kind} needs {missing[0]}")
    return {"kind": kind, **{name: str(proof[name])[:300] for name in known[kind].fields}}


def kinds() -> dict[str, Proof]:
    return {proof.kind: proof for proof in contribute.proofs()}


def ask(proof: Mapping[str, Any], since: datetime) -> Verdict:
    """Does it hold? `since`: when the item was opened; what happened before proves nothing."""
    known = kinds().get(str(proof.get("kind", "")))
    if known is None:
        return Verdict(None, "nothing here can prove it any more")
    return known.ask(proof, since)


def _by_check(proof: Mapping[str, Any], since: datetime) -> Verdict:
    name = str(proof["name"])
    for package, asker in contribute.askers():
        for check in contribute.answers(package, asker):
            if check.name == name:
                return Verdict(None if check.state == "unknown" else check.state == "ok", f"{name}: {check.sentence}")
    return Verdict(None, f"there is no check {name}")


def _by_alert(proof: Mapping[str, Any], since: datetime) -> Verdict:
    """An alert whose title holds these words opened in a drill since."""
    linked = LinkedAlert.objects.filter(incident__is_drill=True, alert__created_at__gte=since)
    found = (
        Alert.objects.filter(pk__in=linked.values("alert"), title__icontains=str(proof["words"]))
        .order_by("-id")
        .first()
    )
    if found is None:
        return Verdict(False, f"no alert with “{proof['words']}” fired in a drill yet")
    return Verdict(True, f"{found} fired in a drill at {found.created_at:%Y-%m-%d %H:%M} UTC")


PROOFS = (
    Proof("check", "a check that must pass", ("name",), _by_check, is_lasting=True),
    Proof("alert", "an alert that fires in a drill", ("words",), _by_alert, is_lasting=False),
)
