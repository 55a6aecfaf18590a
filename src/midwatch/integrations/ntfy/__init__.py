"""ntfy: push to phones through a server of one's own, with buttons that answer.

Comes after `core.integration`, whose messages it carries; comes before notification, which finds it by its folder.
"""
