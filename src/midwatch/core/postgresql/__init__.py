"""Our PostgreSQL backend: Django's, with libpq's own connection string and a session that never holds others up."""
