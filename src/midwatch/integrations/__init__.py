"""Vendors, one folder each: what machines send us, how we reach people, what providers call back.

Comes after `core`, whose protocols (`core.integration`) are all they know; comes before intake and notification, which
find them by looking at the folders. Vendors do not know each other.
"""
