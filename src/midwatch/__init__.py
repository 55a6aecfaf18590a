"""Midwatch: the whole operations and on-call loop, self-hosted. Read `lifecycle.py` first."""

__version__ = "0.1.0"
