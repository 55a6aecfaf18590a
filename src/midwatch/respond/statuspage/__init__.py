"""Status pages: what the people who depend on us are told.

Comes after incidents (what is going on), before post-mortems (what we learned, and may publish).
"""
