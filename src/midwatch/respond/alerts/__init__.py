"""Alerts: sources, and the conditions they report - deduplicated, counted, with a timeline that never forgets.

Comes after on call (who answers), before notifications and escalation (how they are told).
"""
