"""Twilio, and gateways that speak its REST API: SMS and voice calls, and what people answer to them.

Comes after `core.integration`, whose messages it carries; comes before notification and the web's callbacks, which find
it by its folder.
"""
