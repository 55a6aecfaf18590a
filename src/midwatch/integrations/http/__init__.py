"""HTTP: a step that is one request.

Comes after `core.net`, through which it leaves; comes before executions of runbooks, which find it by its folder.
"""
