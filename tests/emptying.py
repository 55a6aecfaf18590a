"""An empty database after each test that commits, at what the test wrote and not at the number of tables there are.

Django's own way truncates every table (on PostgreSQL most of a short test's time) and then makes the permissions of
every model again, which nothing here asks for. Rows are deleted instead, where there are any; the keys between tables
are checked at the commit, so the order does not matter.
"""

from __future__ import annotations

from functools import cache

from django.db import connection, transaction
from django.test import TransactionTestCase

KEPT = {"django_content_type", "auth_permission"}  # made once, by the migrations


@cache
def _tables() -> tuple[str, ...]:
    found = connection.introspection.django_table_names(only_existing=True, include_views=False)
    return tuple(sorted(set(found) - KEPT))


def empty_database() -> None:
    quote = connection.ops.quote_name
    asked = " UNION ALL ".join(
        f"SELECT {number} WHERE EXISTS (SELECT 1 FROM {quote(table)})" for number, table in enumerate(_tables())
    )
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(asked)
        for (number,) in cursor.fetchall():
            cursor.execute(f"DELETE FROM {quote(_tables()[number])}")


def instead_of_flush() -> None:
    TransactionTestCase._fixture_teardown = lambda _test: empty_database()
