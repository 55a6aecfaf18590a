"""Providers in miniature: they listen on loopback, keep state, check signatures and credentials, and can be ill.

Every fake has `.url`, `.requests`, `.wait_for(predicate, timeout)` and is a context manager.
"""
