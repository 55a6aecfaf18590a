"""Runbooks: what we do when it breaks, by hand, half by hand or by itself, and how well that is proven.

Comes after the catalog (whose service it is for), before everything that responds: an alert, an incident or a person starts
an execution and passes in what it needs to know; a runbook knows neither.
"""
