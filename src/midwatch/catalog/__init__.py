"""Catalog: the services we run - owner, tier, urgency, dependencies, links, change events.

Comes after people (who own services), before the loop's steps, which are all about a service.
"""
