"""Policies that another product's tools keep here. They are kept as written, and decide nothing."""

from __future__ import annotations

import re

from django.db import IntegrityError, transaction

from midwatch.core import audit, clock
from midwatch.core.actor import Actor
from midwatch.prepare.runbooks.models.known import ForeignPolicy

TEXT_MAX = 100_000
POLICIES_MAX = 1_000
NAME = re.compile(r"[A-Za-z0-9,.+_-]{1,190}\.aclpolicy")


def create_policy(product: str, project: str, name: str, text: str, by: Actor) -> ForeignPolicy | None:
    """None when there is one of this name already. Raises ValueError with a sentence."""
    _check(name, text)
    if ForeignPolicy.objects.count() >= POLICIES_MAX:
        raise ValueError(f"there are {POLICIES_MAX} policies already: delete some")
    try:
        with transaction.atomic():
            made = ForeignPolicy.objects.create(
                product=product, project=project, name=name, text=text, updated_at=clock.now()
            )
            audit.record(by, "create", "policy", name, {"product": product, "project": project})
    except IntegrityError:
        return None
    return made


def change_policy(found: ForeignPolicy, text: str, by: Actor) -> None:
    _check(found.name, text)
    with transaction.atomic():
        ForeignPolicy.objects.filter(pk=found.pk).update(text=text, updated_at=clock.now())
        audit.record(by, "change", "policy", found.name, {"product": found.product, "project": found.project})


def delete_policy(found: ForeignPolicy, by: Actor) -> None:
    with transaction.atomic():
        found.delete()
        audit.record(by, "delete", "policy", found.name, {"product": found.product, "project": found.project})


def _check(name: str, text: str) -> None:
    if not NAME.fullmatch(name):
        raise ValueError("a policy's name ends in .aclpolicy and is made of letters, digits and ,.+_-")
    if len(text) > TEXT_MAX or "\0" in text:
        raise ValueError(f"a policy has at most {TEXT_MAX:,} characters")
