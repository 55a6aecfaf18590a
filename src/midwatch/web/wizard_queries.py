"""How far the wizard got. It asks what is there, not what was clicked, so it can be left and taken up anywhere."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from midwatch.people.models import User
from midwatch.respond.alerts.models import Source
from midwatch.respond.escalation.models import TeamPolicy
from midwatch.respond.notify.queries import reachability


@dataclass(frozen=True, slots=True)
class WizardStep:
    slug: str
    title: str | Promise
    is_for_all: bool  # else for administrators


STEPS: tuple[WizardStep, ...] = (
    WizardStep("you", _("You and your time zone"), True),
    WizardStep("reach", _("How to reach you"), True),
    WizardStep("team", _("Team and levels"), False),
    WizardStep("source", _("Connect a source"), False),
    WizardStep("check", _("Dry run"), False),
)


@dataclass(frozen=True, slots=True)
class StepState:
    step: WizardStep
    number: int
    is_done: bool
    is_seen: bool  # done, or left for later


def steps(user: User, seen: Collection[str] = ()) -> list[StepState]:
    """The steps this person has: everybody sets up themselves, administrators the rest too.

    `seen`: the steps that were saved or left for later in this session.
    """
    wanted = [step for step in STEPS if step.is_for_all or user.is_administrator]
    states = []
    for number, step in enumerate(wanted, 1):
        is_done = _is_done(step.slug, user) or (step.slug == "you" and step.slug in seen)
        states.append(StepState(step, number, is_done, is_done or step.slug in seen))
    return states


def next_step(user: User, seen: Collection[str] = ()) -> str:
    """The first that is neither done nor left for later; the last one when there is none."""
    states = steps(user, seen)
    return next((state.step.slug for state in states if not state.is_seen), states[-1].step.slug)


def _is_done(slug: str, user: User) -> bool:
    match slug:
        case "you":
            return bool(user.display_name) and user.time_zone != "UTC"
        case "reach":
            return reachability(user).is_reachable_high
        case "team":
            return TeamPolicy.objects.exists()
        case "source":
            return Source.objects.exclude(last_event_at=None).exists()
        case _:
            return TeamPolicy.objects.exists() and Source.objects.exclude(last_event_at=None).exists()
