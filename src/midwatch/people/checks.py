"""Are there people who can log in?"""

from __future__ import annotations

from midwatch.core.contribute import Check
from midwatch.core.integration import DeliveryError
from midwatch.people.models import ContactMethod
from midwatch.people.queries import active_people, contact_secret, has_administrator

REFERENCES_MAX = 1_000


def administrators_exist() -> Check:
    question = "Can an administrator log in?"
    if not has_administrator():
        remedy = "open the set-up page with the code that `midwatch setup-code` prints"
        return Check("people.administrator", question, "warning", "no administrator can log in yet", remedy)
    return Check(
        "people.administrator", question, "ok", f"{active_people().count()} people, an administrator among them"
    )


def secrets_can_be_read() -> Check:
    question = "Can the secrets be read that contact methods refer to?"
    referring = ContactMethod.objects.filter(user__is_active=True, secret_reference__isnull=False).select_related(
        "user"
    )
    problems = []
    for contact in referring.order_by("user__name", "name")[:REFERENCES_MAX]:
        try:
            contact_secret(contact)
        except DeliveryError as error:
            problems.append(f"{contact.user.name}: {error}")
    if problems:
        text = "; ".join(problems[:5])
        return Check(
            "people.secrets", question, "failed", text, "set it for every process of Midwatch, and start again"
        )
    return Check("people.secrets", question, "ok", f"{referring.count()} references, all readable")


CHECKS = (administrators_exist, secrets_can_be_read)
