"""Closing an item by its proof, and opening it again when the proof breaks."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from django.db import transaction

from midwatch.core import clock, leases
from midwatch.core.actor import Actor
from midwatch.core.contribute import Verdict
from midwatch.core.guard import guarded
from midwatch.core.text import clean
from midwatch.learn.actions import proofs
from midwatch.learn.actions.actions.items import finish_item, reopen_item
from midwatch.learn.actions.models import ActionItem, ItemState

EVERY = timedelta(hours=1)
LEASE = timedelta(minutes=2)
BY = Actor("Its proof", "engine")
DUE = leases.Claimable(
    lambda now: (
        ActionItem.objects.exclude(proof_due_at=None).filter(proof_due_at__lte=now).order_by("proof_due_at", "pk")
    )
)


def prove_due(*, limit: int = 10) -> int:
    """Ask the proofs whose moment has come. Returns how many."""
    found = leases.claim_due(DUE, now=clock.now(), lease=LEASE, limit=limit)
    for item in found:
        guarded("proof of an action item", partial(prove_now, item), otherwise=None)
    return len(found)


def prove_now(item: ActionItem) -> Verdict:
    """An open item whose proof holds is done; one that was closed by its proof opens again when it does not hold any more.
    A proof that cannot be asked changes nothing."""
    item.refresh_from_db()
    verdict = proofs.ask(item.proof, item.opened_at or item.created_at)
    is_lasting = item.proof.get("kind") in {kind for kind, one in proofs.kinds().items() if one.is_lasting}
    with transaction.atomic():
        if verdict.holds and item.state == ItemState.OPEN:
            finish_item(item, BY, verdict.sentence, is_proven=True)
        elif verdict.holds is False and item.state == ItemState.DONE and item.is_proven and is_lasting:
            reopen_item(item, BY, verdict.sentence)
        goes_on = item.state == ItemState.OPEN or (item.state == ItemState.DONE and item.is_proven and is_lasting)
        ActionItem.objects.filter(pk=item.pk).update(
            proof_said=clean(verdict.sentence, 500, is_one_line=True),
            proof_due_at=clock.now() + EVERY if goes_on else None,
            claimed_until=None,
        )
    return verdict
