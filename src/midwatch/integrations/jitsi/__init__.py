"""Jitsi: a video call for each incident, without an account.

Comes after `core.integration`, whose wish it fulfils; comes before incidents, which find it by its folder.
"""
