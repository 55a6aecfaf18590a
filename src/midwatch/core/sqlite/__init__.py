"""The database backend of the embedded default: SQLite with a write ticket.

Comes after the library swap (`core.sqlite_library`), before every model; Django finds it by `ENGINE`.
"""
