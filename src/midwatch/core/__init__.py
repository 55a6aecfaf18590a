"""Core: what every room stands on - clock, audit, outbox, leases, the network's one door.

Comes before everything; comes after nothing, and knows no room.
"""
