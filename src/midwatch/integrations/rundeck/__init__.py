"""Rundeck: its jobs become runbooks, and a job on a real Rundeck can be a step.

Comes after the runbooks, which it writes and serves; comes before nothing.
"""
