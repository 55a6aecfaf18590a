"""On call: schedules, layers, rotations, overrides, shifts, hand-offs.

Comes after the catalog (what needs somebody awake), before alerts (what wakes them).
"""
