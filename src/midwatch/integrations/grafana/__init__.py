"""Grafana's unified alerting: its webhook contact point.

Comes after `core.integration`, whose words it speaks; comes before intake and the engine, which find it by its folder.
"""
