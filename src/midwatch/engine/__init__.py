"""Engine: turns the event log into alerts, reacts, and does what is due.

Comes after every room of the loop, which it calls; before nothing.
"""
