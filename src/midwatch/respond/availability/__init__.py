"""Availability: outage intervals, the one truth about what was up and what was down.

Comes after escalation (who is paged), before incidents (people coordinating), whose impact windows it keeps.
"""
