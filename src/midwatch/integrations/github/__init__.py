"""GitHub: an issue for an action item, open and closed together.

Comes after `core.tracking`, whose wishes it fulfils; comes before the action items, which find it by its folder.
"""
