"""Action items: what we said we would do, who does it, by when, and how we know that it was done.

Comes after post-mortems, before insights (is it getting better?).
"""
