"""Midwatch's own event format: for scripts, cron jobs and whatever can POST JSON.

Comes after `core.integration`, whose words it speaks; comes before intake and the engine, which find it by its folder.
"""
