"""Who may do what with runbooks and executions: one table, asked by the pages and the API.

Everybody who logs in looks: whoever is paged at night may need another team's runbook. Members of the team whose runbook it
is carry it out, and so does who leads the incident it belongs to; administrators do all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from enum import StrEnum

from midwatch.people.models import Membership, Team, User
from midwatch.people.queries import is_manager, may_edit_team
from midwatch.prepare.runbooks.models import Execution, Runbook

# Does this person lead the incident of this number? Given from above, since a runbook knows no incident.
Leads = Callable[[User, int], bool]
ADMINISTRATOR, MANAGER, IC, TEAM = "administrator", "manager", "ic", "team:"


class Act(StrEnum):
    EDIT = "edit"
    START = "start"
    CARRY_OUT = "carry out"  # answer, press, decide, cancel, resume


WHY = {
    Act.EDIT: "This is for members of its team and administrators.",
    Act.START: "This is for members of its team, whoever leads the incident, and administrators.",
    Act.CARRY_OUT: "This is for members of its team, whoever leads the incident, and administrators.",
}


def nobody_leads(user: User, number: int) -> bool:
    return False


def may(
    user: User, runbook: Runbook, act: Act, *, incident_number: int | None = None, leads: Leads = nobody_leads
) -> bool:
    """Observers of the team and viewers look on."""
    if may_edit_team(user, runbook.team):
        return True
    if act is Act.EDIT or incident_number is None or not user.may_act:
        return False
    return leads(user, incident_number)


def may_carry_out(user: User, execution: Execution, leads: Leads = nobody_leads) -> bool:
    return may(user, execution.runbook, Act.CARRY_OUT, incident_number=execution.incident_number, leads=leads)


def is_asked(user: User, who: Collection[str], execution: Execution, leads: Leads = nobody_leads) -> bool:
    """May this person approve, where the step names `who`? Empty: whoever may carry it out."""
    if not user.may_act:
        return False
    if not who:
        return may_carry_out(user, execution, leads)
    return any(_is(user, one, execution.runbook.team, execution.incident_number, leads) for one in who)


def _is(user: User, word: str, team: Team, incident_number: int | None, leads: Leads) -> bool:
    if word == ADMINISTRATOR:
        return user.is_administrator
    if word == MANAGER:
        return is_manager(user, team)
    if word == IC:
        return incident_number is not None and leads(user, incident_number)
    if word.startswith(TEAM):
        found = Membership.objects.filter(user=user, team__name=word.removeprefix(TEAM))
        return found.exclude(role="observer").exists()
    return user.name == word


def why_not(act: Act) -> str:
    """The sentence for somebody who may not."""
    return WHY[act]
