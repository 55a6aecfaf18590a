"""Who acts. Every action of the domain takes one; the audit log and the timelines print it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """`name`: as shown ("Ana Novak"). `user_id`: None for machines.

    `via`: web, api, cli, link, sms, voice, chat, source, code, engine.

    `on_behalf_of`: who really pressed, when somebody acts for another; both names are kept.
    """

    name: str
    via: str
    user_id: int | None = None
    on_behalf_of: str = ""

    @property
    def is_person(self) -> bool:
        return self.user_id is not None

    def __str__(self) -> str:
        return f"{self.name} (by {self.on_behalf_of})" if self.on_behalf_of else self.name


ENGINE = Actor("Midwatch", "engine")
