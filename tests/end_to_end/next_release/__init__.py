"""What the next release of Midwatch may bring: an app with one migration, which also changes tables of today's."""
