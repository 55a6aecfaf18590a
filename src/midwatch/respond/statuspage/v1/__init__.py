"""Statuspage's management API v1, so that clients written for it manage our pages: one address, a table of what it answers."""
