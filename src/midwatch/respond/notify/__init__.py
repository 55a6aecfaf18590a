"""Notify: pages to people and every other message - rules, queue, lease, retry, receipt.

Comes after alerts (what is said), before escalation (who is told next).
"""
