"""Prepare: the wing for what is made ready before production breaks. It knows the ground floor alone."""
