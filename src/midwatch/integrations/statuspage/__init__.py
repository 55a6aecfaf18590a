"""Atlassian Statuspage: what our status page says is said there too, by its management API.

Comes after a notice was published here; comes before the visitors of the page there.
"""
