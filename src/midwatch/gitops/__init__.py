"""Configuration as code: documents in, a plan in human words, one atomic apply, and the same documents out.

Comes after every room it configures; before nothing.
"""
