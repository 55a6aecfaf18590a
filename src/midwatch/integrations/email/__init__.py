"""E-mail by SMTP.

Comes after `core.integration`, whose messages it carries; comes before notification, which finds it by its folder.
"""
