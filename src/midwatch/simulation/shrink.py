"""A failing run is made smaller by leaving happenings out (delta debugging), and told as a story with times.

What can be left out: every happening of the script, everything the people and the providers did, each trouble of the
wire. The kills are happenings too: at which point a node dies is written in them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from django.db import connection

from midwatch.simulation.run import Result, Run
from midwatch.simulation.script import Plan

TRIES_MAX = 150
Fails = Callable[[Sequence[str]], bool]


def minimal(ids: Sequence[str], fails: Fails) -> list[str]:
    """Zeller's ddmin: the smallest part found that still fails, within `TRIES_MAX` tries."""
    kept, parts, tries = list(ids), 2, 0
    while len(kept) >= 1 and tries < TRIES_MAX:
        size = max(1, len(kept) // parts)
        chunks = [kept[start : start + size] for start in range(0, len(kept), size)]
        for chunk in chunks:
            rest = [id for id in kept if id not in chunk]
            tries += 1
            if fails(rest):
                kept, parts = rest, max(2, parts - 1)
                break
            if tries >= TRIES_MAX:
                break
        else:
            if size == 1:
                break
            parts = min(len(kept), parts * 2)
    return kept


def shrink(result: Result) -> Result:
    """The smallest run found that breaks the same promise."""
    plan, check = result.plan, result.violations[0].check
    best = result

    def fails(ids: Sequence[str]) -> bool:
        nonlocal best
        found = Run(replace(plan, only=frozenset(ids))).run()
        if not any(one.check == check for one in found.violations):
            return False
        best = found
        return True

    happened = list(dict.fromkeys(result.happened))
    if fails(happened):
        minimal(happened, fails)
    return best


def tell(plan: Plan, *, shrinks: bool) -> dict[str, Any]:
    """Run a seed, shrink it when it fails, and say it in words."""
    result = Run(plan).run()
    told = ""
    if result.violations and shrinks:
        before, result = result, shrink(result)
        told = (
            f"\nMade smaller: {len(result.happened)} of {len(before.happened)} happenings are left, "
            f"and {len(result.lines)} of {len(before.lines)} lines."
        )
    return {
        "seed": plan.seed,
        "kinds": result.kinds,
        "violations": [(one.check, one.words, one.at.isoformat()) for one in result.violations],
        "trace": result.trace,
        "story": story(result) + told,
        **{name: getattr(result, name) for name in ("steps", "events", "pages", "kills", "switches", "seconds")},
    }


def story(result: Result) -> str:
    world = result.plan.world()
    people = "; ".join(f"{one.name} ({one.temper}, {'+'.join(one.methods)}, {one.zone})" for one in world.people)
    lines = [f"Seed {result.plan.seed}: {world.nodes} nodes; {people}"]
    for rota in world.rotas:
        turns = ", ".join("+".join(turn) or "nobody" for turn in rota.turns)
        lines.append(
            f"  {rota.name}: every {rota.every} {rota.unit} from {rota.start:%Y-%m-%d %H:%M} {rota.zone}: {turns}"
        )
    for policy in world.policies:
        steps = ", ".join(
            f"{step.after_seconds} s {'+'.join(step.targets)}{' (unresolved)' if step.is_unresolved else ''}"
            for step in policy.steps
        )
        lines.append(f"  {policy.name}: {steps}; {policy.repeat} repeats after {policy.repeat_after_seconds} s")
    lines += [f"  {at:%m-%d %H:%M:%S.%f} {words}"[:220] for at, words in result.lines]
    if result.violations:
        scene = f" --scene {result.plan.scene}" if result.plan.scene else ""
        scene += f" --size {result.plan.size}" if result.plan.size != "mixed" else ""
        scene += " --database postgresql://..." if connection.vendor == "postgresql" else ""  # addresses hold passwords
        kept = ",".join(dict.fromkeys(result.happened))
        lines.append(f"Again: midwatch-sim{scene} --seed {result.plan.seed} --keep '{kept}'")
    else:
        lines.append("Every promise held.")
    return "\n".join(lines)
