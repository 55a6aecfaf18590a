"""People: users, teams, roles, contact methods, notification rules, tokens.

Comes after core, before the catalog (what the teams own).
"""
