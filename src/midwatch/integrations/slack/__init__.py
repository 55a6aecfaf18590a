"""Slack: a channel for each incident, kept as things stand; a team's alerts; and what people say to Midwatch there.

Comes after `core.integration`, whose wishes it fulfils; comes before incidents and the API, which find it by its folder.
"""
