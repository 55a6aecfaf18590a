"""Rundeck's API, so that what was written for it drives our runbooks: a team is a project, a runbook a job.

One address, a table of what it answers (`table.py`). No cookie is read: whoever asks brings a token of theirs.
"""
