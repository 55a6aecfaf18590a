"""Jira: an issue for an action item, open and done together, in Cloud and in Data Center.

Comes after `core.tracking`, whose wishes it fulfils; comes before the action items, which find it by its folder.
"""
