"""Objectives: what did we promise, and how much of it is left? SLI, SLO, error budget, SLA, uptime.

Comes after action items; insights come after it.
"""
