"""Kubernetes: a step that is a job in a cluster, or a custom resource whose condition is waited for.

Comes after `core.net`, through which the API server is asked; comes before executions of runbooks, which find it by its
folder.
"""
