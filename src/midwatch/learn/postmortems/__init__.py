"""Post-mortems: what happened, why it made sense at the time, and what we learn.

Comes after incidents, before action items (what we do about it).
"""
