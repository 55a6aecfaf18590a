"""Configuration as code: documents in, a plan in human words, one atomic apply, and the same documents out.

Comes after every room it configures; before nothing.

The way of a document: `documents` (YAML with lines, nothing guessed) -> `values`, `schema` (typed fields, one normal
form) -> `references` (with each other and the database) -> `plan` (compared with `current`) -> `writing` (by the rooms'
actions) -> `effects` (what it means for people). `actions` is that way in one transaction; `exporting` is the way back.
"""
