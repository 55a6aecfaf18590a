"""Which addresses may be connected to, and by which numbers.

A name is resolved exactly once; what was checked is what is connected to. Decimal, octal and short forms of IPv4
addresses need no rule of their own: the resolver turns them into the address that is then judged.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import threading
from dataclasses import dataclass
from functools import lru_cache
from queue import Empty, SimpleQueue

from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from midwatch.core.net.errors import AddressRefused, NetError
from midwatch.settings import settings

IP = ipaddress.IPv4Address | ipaddress.IPv6Address
LOOKUPS_MAX = 128
ADDRESSES_TRIED_MAX = 4
URL_CHARACTERS_MAX = 4_000

# Embeds an IPv4 address that a translator would connect to (RFC 6052).
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# Not covered by `is_global` in every Python: 6to4 and its relays, Teredo, IPv4-compatible, local NAT64, site-local.
_NEVER_PUBLIC = tuple(
    ipaddress.ip_network(network)
    for network in ("192.88.99.0/24", "192.0.0.0/24", "2002::/16", "2001::/23", "::/96", "64:ff9b:1::/48", "fec0::/10")
)
_lookups = threading.BoundedSemaphore(LOOKUPS_MAX)


@dataclass(frozen=True, slots=True)
class Target:
    """An address taken apart, with the numbers to connect to. `host` has no brackets."""

    url: Url
    scheme: str
    host: str
    port: int
    ips: tuple[str, ...]

    @property
    def name(self) -> str:
        """What an error may say of it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port


def split_url(url: str) -> tuple[Url, str, str, int]:
    """(parsed, scheme, host, port). One parser does both the check and the request, so they cannot disagree."""
    if len(url) > URL_CHARACTERS_MAX:
        raise AddressRefused(f"the address is longer than {URL_CHARACTERS_MAX} characters: give a shorter one")
    if not url.isprintable() or any(character.isspace() or character == "\\" for character in url):
        raise AddressRefused("the address holds a space, a backslash or a control character: write it without")
    # Before the parser, which writes accents as xn--... itself, but only where a further package is installed.
    if not re.split(r"[/?#]", url.partition("://")[2], maxsplit=1)[0].isascii():
        raise AddressRefused("the address names a host with accents: write its xn--... form")
    try:
        parsed = parse_url(url)
    except LocationParseError:
        raise AddressRefused(
            "the address cannot be read: write it as https://host/path, a name with accents as xn--..."
        ) from None
    scheme = (parsed.scheme or "").lower()
    if scheme not in {"http", "https"} or not parsed.host:
        raise AddressRefused("the address must begin with https:// or http:// and name a host")
    host = parsed.host.strip("[]").lower()
    if "%" in host:
        raise AddressRefused("the address names a network interface: give an address without %")
    if parsed.port == 0:
        raise AddressRefused("the address names port 0: give 1 to 65535")
    return parsed, scheme, host, parsed.port or (443 if scheme == "https" else 80)


def resolve_url(url: str, *, is_trusted: bool, timeout_seconds: float) -> Target:
    parsed, scheme, host, port = split_url(url)
    ips = resolve(host, port, timeout_seconds)
    if not is_trusted:
        _permit(host, ips)
    return Target(parsed, scheme, host, port, tuple(str(ip) for ip in ips[:ADDRESSES_TRIED_MAX]))


def resolve_host(host: str, port: int, *, is_trusted: bool, timeout_seconds: float) -> tuple[str, ...]:
    """For what is not named by a URL. `host`: a name, or an address without brackets."""
    ips = resolve(host.lower(), port, timeout_seconds)
    if not is_trusted:
        _permit(host.lower(), ips)
    return tuple(str(ip) for ip in ips[:ADDRESSES_TRIED_MAX])


def check_typed(url: str) -> None:
    """Refuses what is private as it is written; which numbers a name stands for is asked when something is sent."""
    _, _, host, _ = split_url(url)
    ip = ipaddress.ip_address("127.0.0.1") if host == "localhost" else _literal(host)
    if ip is not None:
        _permit(host, (ip,))


def _permit(host: str, ips: tuple[IP, ...]) -> None:
    if is_host_allowed(host) or all(is_public(ip) or is_allowed(ip) for ip in ips):
        return
    raise AddressRefused(
        f"{host} is not a public address: an administrator can permit it with MIDWATCH_OUTBOUND_ALLOW, "
        "or it can stand in configuration as code"
    )


def resolve(host: str, port: int, timeout_seconds: float) -> tuple[IP, ...]:
    """All addresses of a name. A name server may be silent for 30 s and cannot be interrupted, so a thread asks it."""
    literal = _literal(host)
    if literal is not None:
        return (literal,)
    if not _lookups.acquire(blocking=False):
        raise NetError(f"{host}: {LOOKUPS_MAX} names are being looked up already, the name server does not answer")
    answers: SimpleQueue[tuple[IP, ...] | OSError | UnicodeError] = SimpleQueue()

    def ask() -> None:
        try:
            answers.put(lookup(host, port))
        except (OSError, UnicodeError) as error:  # UnicodeError: a label of more than 63 characters
            answers.put(error)
        finally:
            _lookups.release()

    threading.Thread(target=ask, name="lookup", daemon=True).start()
    try:
        answer = answers.get(timeout=max(timeout_seconds, 0.001))
    except Empty:
        raise NetError(f"{host}: the name server did not answer in time") from None
    if isinstance(answer, Exception) or not answer:
        raise NetError(f"{host}: no such host, as far as the name server knows")
    return answer


def lookup(host: str, port: int) -> tuple[IP, ...]:
    """The machine's resolver; tests put their own name server here."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(ipaddress.ip_address(str(entry[4][0])) for entry in found))


def _literal(host: str) -> IP | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _meant(ip: IP) -> IP:
    """The IPv4 address inside an IPv6 one that leads there."""
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return ip.ipv4_mapped
        if ip in _NAT64:
            return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip


def is_public(ip: IP) -> bool:
    ip = _meant(ip)
    if isinstance(ip, ipaddress.IPv6Address) and ip.scope_id is not None:
        return False
    if any(ip in network for network in _NEVER_PUBLIC if network.version == ip.version):
        return False
    return ip.is_global and not (
        ip.is_multicast or ip.is_reserved or ip.is_unspecified or ip.is_loopback or ip.is_link_local
    )


@lru_cache(maxsize=4)
def _allowed(
    words: tuple[str, ...],
) -> tuple[tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...], frozenset[str]]:
    networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
    hosts: set[str] = set()
    for word in words:
        try:
            networks.append(ipaddress.ip_network(word, strict=False))
        except ValueError:
            hosts.add(word.lower().removeprefix("*"))
    return tuple(networks), frozenset(hosts)


def is_allowed(ip: IP) -> bool:
    meant = _meant(ip)
    networks, _ = _allowed(settings().outbound_allow)
    return any(meant in network for network in networks if network.version == meant.version)


def is_host_allowed(host: str) -> bool:
    """A host by its whole name, or `*.example.com` for everything below."""
    _, hosts = _allowed(settings().outbound_allow)
    return host in hosts or any(host.endswith(ending) for ending in hosts if ending.startswith("."))
