"""Web: base templates, navigation, log-in, health, first run.

Comes after every room it shows; before nothing.
"""
