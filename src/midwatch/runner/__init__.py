"""Runner: a process on another machine that does steps of runbooks there.

Comes after the room of runbooks, whose wire it speaks; before nothing. It asks the server over HTTPS and is never
connected to; it has no database, no Django and nothing of the installation but its own token.
"""
