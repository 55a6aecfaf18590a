"""Sessions on PostgreSQL: what a server that hangs does to us, and what we leave behind on it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psycopg
import pytest

import postgres
from fakes.tcp_proxy import TcpProxy
from midwatch.core.postgresql.base import Connection, NoAnswerError, parameters


@pytest.fixture(scope="module")
def server() -> postgres.Server:
    return postgres.shared()


@pytest.fixture
def proxy(server: postgres.Server) -> Iterator[TcpProxy]:
    with TcpProxy(server.port) as made:
        yield made


def opened(port: int) -> Connection:
    url = f"postgresql://midwatch@127.0.0.1:{port}/postgres?application_name=patient"
    return Connection.open(**{**parameters(url), "autocommit": True})


def test_an_answer_in_time_is_an_answer(proxy: TcpProxy) -> None:
    with opened(proxy.port) as connection:
        connection.answer_seconds = 20.0
        assert connection.execute("SELECT pg_sleep(0.3), 7").fetchone() == ("", 7)


def test_a_server_that_answers_nothing_is_given_up(proxy: TcpProxy) -> None:
    connection = opened(proxy.port)
    connection.answer_seconds = 0.3
    proxy.hang()
    with pytest.raises(NoAnswerError, match=r"did not answer within 0\.3 s"):
        connection.execute("SELECT 1")
    assert connection.closed


def test_what_was_given_up_does_not_go_on_waiting_on_the_server(server: postgres.Server, proxy: TcpProxy) -> None:
    """As a commit would for a synchronous standby that is away: each try would leave one more session."""
    connection = opened(proxy.port)
    connection.answer_seconds = 0.3
    with pytest.raises(NoAnswerError):
        connection.execute("SELECT pg_sleep(60)")
    with server.connect() as other:
        deadline = time.monotonic() + 30
        query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'patient'"
        while other.execute(query).fetchone() != (0,):
            assert time.monotonic() < deadline, "the session is still there"
            time.sleep(0.05)


@pytest.mark.parametrize("cut", ["refuse", "reset"])
def test_a_cut_connection_fails_at_once_and_a_healed_way_works(proxy: TcpProxy, cut: str) -> None:
    connection = opened(proxy.port)
    getattr(proxy, cut)()
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
    proxy.heal()
    with opened(proxy.port) as again:
        assert again.execute("SELECT 1").fetchone() == (1,)
