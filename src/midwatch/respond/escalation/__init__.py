"""Escalation: policies, rounds and steps - who is paged next when nobody answers.

Comes after notifications (how a person is told), before incidents (people coordinating).
"""
