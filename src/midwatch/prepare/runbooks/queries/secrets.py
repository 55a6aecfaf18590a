"""Which secrets there are, and who may see that and change them. Never a value."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from django.db.models import F, Q, QuerySet

from midwatch.core.models import AuditEntry
from midwatch.people.models import Membership, Team, User
from midwatch.people.queries import is_manager
from midwatch.prepare.runbooks.models import Secret

READS_LOOKED_AT = 100  # of one name


def secrets_visible_to(user: User) -> QuerySet[Secret]:
    """Names and where they come from: of one's own teams, and those for all. Administrators see every one."""
    found = Secret.objects.select_related("team").order_by(F("team__name").asc(nulls_first=True), "name")
    if user.is_administrator:
        return found
    mine = Membership.objects.filter(user=user).values("team")
    return found.filter(Q(team=None) | Q(team__in=mine))


def may_set_secret(user: User, team: Team | None) -> bool:
    """Managers for their team, administrators for all. What is in the environment or in files: administrators alone,
    since that is nobody's."""
    if not user.may_act:
        return False
    return user.is_administrator or (team is not None and is_manager(user, team))


def found_by_name(names: Collection[str], team: Team | None) -> Mapping[str, Secret]:
    """What a runbook of this team means by these names: its team's own, else the one for all."""
    whose = Q(team=None) | Q(team=team) if team is not None else Q(team=None)
    rows = Secret.objects.select_related("team").filter(whose, name__in=names)
    found: dict[str, Secret] = {}
    for row in rows:
        if row.team_id is not None or row.name not in found:
            found[row.name] = row
    return found


def missing_secrets(names: Collection[str], team: Team | None) -> list[str]:
    """Those that a runbook of this team names and nobody has set."""
    return sorted(set(names) - found_by_name(names, team).keys())


def last_reads(secrets: Sequence[Secret]) -> Mapping[int, datetime]:
    """id: when a step was last given it, as the audit says; a name that two teams use is told apart by its team."""
    found: dict[int, datetime] = {}
    for secret in secrets:
        entries = AuditEntry.objects.filter(object_kind="secret", object_name=secret.name, verb="read").order_by("-id")
        team = secret.team.name if secret.team is not None else None
        rows = entries.values_list("at", "detail")[:READS_LOOKED_AT]
        at = next((at for at, detail in rows if detail.get("team") == team), None)
        if at is not None:
            found[secret.pk] = at
    return found
