"""SSH: a step's script on other machines, in their own shell.

Comes after `core.net`, whose connection it speaks on; comes before executions of runbooks, which find it by its folder.
"""
