"""The webhook channel: a JSON POST per message, for a home-made gateway, a script or a test.

Comes after `core.integration`, whose messages it carries; comes before notification, which finds it by its folder.
"""
