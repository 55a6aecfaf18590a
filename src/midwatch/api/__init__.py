"""API: JSON for scripts, OpenAPI, and the few commands that palette, SMS and command line share.

Comes after every room it shows; before nothing.
"""
