"""Prometheus Alertmanager: its webhook, format version 4.

Comes after `core.integration`, whose words it speaks; comes before intake and the engine, which find it by its folder.
"""
