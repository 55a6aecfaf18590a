"""Respond: the wing for what happens when production breaks. It may know `prepare` and the ground floor, never `learn`."""
