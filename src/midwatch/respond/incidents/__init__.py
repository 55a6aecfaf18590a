"""Incidents: people coordinating one response.

Comes after escalation (someone answered), before post-mortems (what we learned).
"""
