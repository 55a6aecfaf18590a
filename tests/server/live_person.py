"""Run beside a server, on its data directory: makes somebody who is logged in, then touches the topics that it reads."""

from __future__ import annotations

import sys

import django


def main() -> None:
    django.setup()
    from django.db import transaction
    from django.test import Client

    from midwatch.core import clock, topics
    from midwatch.people.models import User

    client = Client()
    with transaction.atomic():
        user = User.objects.create(name="ana", display_name="Ana", time_zone="UTC", created_at=clock.now())
        client.force_login(user)
    print(client.cookies["midwatch_session"].value, flush=True)
    for line in sys.stdin:
        with transaction.atomic():
            topics.touch(*line.split())
        print(topics.latest(), flush=True)


if __name__ == "__main__":
    main()
