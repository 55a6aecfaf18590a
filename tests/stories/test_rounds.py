"""Rounds, steps, times."""

from __future__ import annotations

from stories.story import Story


def test_nobody_answers_so_level_2_is_paged(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    story.policy("payments", steps=[("ana", "0m"), ("ben", "5m")])
    story.fires("payments", "disk full")
    ana.rings_with("disk full")
    story.forward(minutes=4.9)
    ben.is_silent()
    story.forward(minutes=0.1)
    ben.rings_with("disk full")
    ana.rings_with("disk full")  # her own rules start again five minutes after they were used up
    story.nothing_else_happens()
