"""Intake: the fast lane for machines. What a sender was told is accepted is on disk.

Comes after alerts, whose sources' keys it reads; before the engine, which turns the event log into alerts.
"""
