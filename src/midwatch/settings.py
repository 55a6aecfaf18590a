"""Every setting of Midwatch: typed, read once, bounded, documented in `docs/reference/settings.md`.

A setting is an environment variable `MIDWATCH_<NAME>`; a secret one may be given as `MIDWATCH_<NAME>_FILE`, a path to a
file that holds it. This module imports no Django, so that the supervisor and the command line stay light.
"""

from __future__ import annotations

import ipaddress
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

PREFIX = "MIDWATCH_"
LISTEN_URL = (
    "_MIDWATCH_LISTEN_URL"  # set by `serve` for its parts: where it listens, for links when no address was given
)
LANE_URL = "_MIDWATCH_LANE_URL"  # set by `serve` too: its own port on this machine, whatever the public address is


class SettingError(SystemExit):
    """A setting cannot be used. The text is the manual: it names the variable and says what to write."""


@dataclass(frozen=True, slots=True)
class Setting:
    """`read` turns the text into the value, or raises ValueError with a sentence that says what to write."""

    name: str
    default: str
    read: Callable[[str], object]
    about: str
    is_secret: bool = False


def _text(raw: str) -> str:
    return raw.strip()


def _whole(low: int, high: int, unit: str) -> Callable[[str], int]:
    def read(raw: str) -> int:
        try:
            value = int(raw)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise ValueError(f"give whole {unit}, {low} to {high}")
        return value

    return read


def _address(raw: str) -> str:
    value = raw.strip().rstrip("/")
    if not value:
        return ""
    if not _is_address(value):
        raise ValueError("give an address such as https://midwatch.example.com, without query")
    return value


def _is_address(value: str) -> bool:
    try:
        parts = urlsplit(value)
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError:  # a bracket too few, a port of 99999
        return False
    return parts.scheme in {"http", "https"} and has_host and not (parts.query or parts.fragment)


def _canary(raw: str) -> str:
    value = raw.strip().rstrip("/")
    if value.lower() in {"on", "off"}:
        return value.lower()
    if not _is_address(value):
        raise ValueError(
            "write on, off, or the address of the web part that it enters by, https://midwatch.example.com"
        )
    return value


def _addresses(raw: str) -> tuple[str, ...]:
    found = tuple(word.rstrip("/") for word in _words(raw))
    if not all(_is_address(one) for one in found):
        raise ValueError("give addresses such as https://midwatch.other.example, with spaces")
    return found


def _monitor(raw: str) -> str:
    value = raw.strip()
    parts = urlsplit(value)
    if value and (parts.scheme not in {"http", "https"} or not parts.hostname):
        raise ValueError("give the whole address that the monitor wants requested, https://...")
    return value


def _database(raw: str) -> str:
    value = raw.strip()
    if value and not value.startswith(("postgresql://", "postgres://")):
        raise ValueError("give postgresql://user:password@host:5432/name, or leave it out for the embedded SQLite")
    return value


def _mail(raw: str) -> tuple[str, ...]:
    relays = tuple(part.strip() for part in raw.split(",") if part.strip())
    for relay in relays:
        if not _is_relay(relay):
            raise ValueError("give smtp://user:password@host:587 or smtps://host:465; a second relay after a comma")
    return relays


def _is_relay(relay: str) -> bool:
    try:
        parts = urlsplit(relay)
        return parts.scheme in {"smtp", "smtps"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port of 99999
        return False


def _words(raw: str) -> tuple[str, ...]:
    return tuple(word for word in raw.replace(",", " ").split() if word)


def _networks(raw: str) -> tuple[str, ...]:
    for word in _words(raw):
        _check_network(word)
    return _words(raw)


def _networks_and_hosts(raw: str) -> tuple[str, ...]:
    """What holds a slash was meant as a network: taken for a host's name, it would permit nothing and say nothing."""
    for word in _words(raw):
        if "/" in word:
            _check_network(word)
    return _words(raw)


def _check_network(word: str) -> None:
    try:
        ipaddress.ip_network(word, strict=False)
    except ValueError:
        raise ValueError(
            f"{word!r} is no network: give addresses such as 10.0.0.7 or 10.0.0.0/8, with spaces"
        ) from None


def _programs(raw: str) -> tuple[str, ...]:
    for word in _words(raw):
        if "/" in word and not word.startswith("/"):
            raise ValueError(f"{word!r}: give names such as bash, or whole paths such as /usr/bin/bash, with spaces")
    return _words(raw)


def _path(raw: str) -> str:
    if raw.strip() and not raw.strip().startswith("/"):
        raise ValueError("give the whole path, such as /etc/midwatch/known_hosts")
    return raw.strip()


def _user(raw: str) -> str:
    value = raw.strip()
    if value and not all(character.isalnum() or character in "._-$" for character in value):
        raise ValueError("give the name of a user of this machine")
    return value


def _level(raw: str) -> str:
    if raw.strip().lower() not in {"debug", "info", "warning", "error"}:
        raise ValueError("write debug, info, warning or error")
    return raw.strip().lower()


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "DATA_DIR",
        "midwatch-data",
        lambda raw: Path(raw).expanduser().absolute(),
        "Directory of the embedded database, the event log, keys and backups.",
    ),
    Setting(
        "DATABASE_URL",
        "",
        _database,
        "postgresql://... when SQLite is outgrown; several hosts and options as libpq takes them.",
        is_secret=True,
    ),
    Setting(
        "BASE_URL",
        "",
        _address,
        "The public address people use, without a trailing slash; links are built with it. Default: the address `serve` listens on.",
    ),
    Setting(
        "PUBLIC_URL", "", _address, "What phones and providers reach (landing pages, callbacks); default: the base URL."
    ),
    Setting(
        "SECRET_KEY",
        "",
        _text,
        "Signs sessions and landing links. SQLite: made and kept in the data directory. PostgreSQL: required, equal on all nodes.",
        is_secret=True,
    ),
    Setting(
        "SECRET_KEY_PREVIOUS",
        "",
        _words,
        "Earlier secret keys, with spaces: what was encrypted with them still opens, until `midwatch secret rotate`.",
        is_secret=True,
    ),
    Setting(
        "API_TOKEN",
        "",
        _text,
        "An administrator's token for scripts. SQLite: made at the first start and kept in the data directory as `admin-token`.",
        is_secret=True,
    ),
    Setting(
        "EMAIL_URL", "", _mail, "smtp://user:password@host:port or smtps://...; a second after a comma.", is_secret=True
    ),
    Setting("EMAIL_FROM", "midwatch@localhost", _text, "Sender of every e-mail."),
    Setting("TWILIO_ACCOUNT_SID", "", _text, "Twilio account for SMS and voice."),
    Setting("TWILIO_AUTH_TOKEN", "", _text, "It also checks the signatures of callbacks.", is_secret=True),
    Setting("TWILIO_FROM", "", _text, "The number messages and calls come from, +420..."),
    Setting("TWILIO_BASE_URL", "https://api.twilio.com", _address, "Twilio's address, or a compatible gateway's."),
    Setting("STATUSPAGE_API_KEY", "", _text, "Key of Atlassian Statuspage: told there too.", is_secret=True),
    Setting("STATUSPAGE_BASE_URL", "https://api.statuspage.io", _address, "Statuspage's address, or a compatible one."),
    Setting("JITSI_URL", "", _address, "A Jitsi server: each incident gets a call there."),
    Setting("JITSI_SECRET", "", _text, "Makes the names of calls that nobody guesses.", is_secret=True),
    Setting("SLACK_BOT_TOKEN", "", _text, "Bot token of a Slack app: incidents get channels.", is_secret=True),
    Setting("SLACK_SIGNING_SECRET", "", _text, "Checks that commands and buttons come from Slack.", is_secret=True),
    Setting("SLACK_APP_TOKEN", "", _text, "App-level token: commands come by socket mode.", is_secret=True),
    Setting("GITHUB_TOKEN", "", _text, "Makes issues of action items; Issues: read and write.", is_secret=True),
    Setting("GITHUB_BASE_URL", "https://api.github.com", _address, "GitHub's API, or an Enterprise server's."),
    Setting("JIRA_BASE_URL", "", _address, "A Jira: action items become issues there."),
    Setting("JIRA_USER", "", _text, "Jira Cloud: the e-mail address that the token is of."),
    Setting("JIRA_TOKEN", "", _text, "Jira Cloud: an API token; Data Center: a personal access token.", is_secret=True),
    Setting("SLACK_BASE_URL", "https://slack.com/api", _address, "Slack's Web API, or what speaks like it."),
    Setting("WATCHDOG_URL", "", _monitor, "Dead-man monitor: requested while the engine is well."),
    Setting(
        "CANARY",
        "on",
        _canary,
        "Each minute a synthetic event goes the whole way of a page: on, off, or the address of the web part that it enters by.",
    ),
    Setting("PEER_URL", "", _addresses, "Other Midwatch installations that this one watches: their base addresses."),
    Setting(
        "PEER_SECONDS", "30", _whole(1, 3600, "seconds"), "How often a peer is asked; four bad answers in a row page."
    ),
    Setting("TRUSTED_PROXIES", "", _networks, "Addresses or networks whose X-Forwarded-* headers are believed."),
    Setting(
        "OUTBOUND_ALLOW",
        "",
        _networks_and_hosts,
        "Networks and hosts, besides public ones, that addresses typed in the web may name.",
    ),
    Setting("LOG_LEVEL", "info", _level, "debug, info, warning or error."),
    Setting(
        "INTAKE_QUEUE_MAX", "20000", _whole(100, 1_000_000, "events"), "Events that wait for their commit before 503."
    ),
    Setting("EVENT_RETENTION_DAYS", "14", _whole(1, 400, "days"), "Days that events are kept once they are alerts."),
    Setting("RETENTION_DAYS", "400", _whole(1, 4000, "days"), "Days that closed alerts are kept, with all of theirs."),
    Setting("AUDIT_RETENTION_DAYS", "1200", _whole(1, 4000, "days"), "How long the audit log is kept."),
    Setting("FILE_MAX_MIB", "10", _whole(1, 50, "MiB"), "The largest attachment that is taken."),
    Setting(
        "FILES_TOTAL_MIB",
        "10240",
        _whole(1, 10_000_000, "MiB"),
        "What all attachments together may take of the database; then no more are taken.",
    ),
    Setting("LIVE_STREAMS_MAX", "1000", _whole(1, 20_000, "streams"), "Open pages that one web process keeps live."),
    Setting("LIVE_STREAMS_PER_PERSON", "20", _whole(1, 1_000, "streams"), "Of them, of one person."),
    Setting("STORM_VOICE_GAP_SECONDS", "120", _whole(10, 3600, "seconds"), "Pause between two calls to one person."),
    Setting(
        "STORM_SMS_PER_MINUTE", "2", _whole(1, 60, "messages"), "SMS to one person in a minute; what waits is bundled."
    ),
    Setting(
        "STORM_OTHER_PER_MINUTE",
        "6",
        _whole(1, 6000, "messages"),
        "Messages to one person and method in a minute; what waits is bundled.",
    ),
    Setting("WEB_THREADS", "8", _whole(1, 64, "threads"), "Pages served at the same time by one web process."),
    Setting(
        "EXECUTION_THREADS", "16", _whole(1, 512, "threads"), "Steps of runbooks that one engine runs at the same time."
    ),
    Setting("EXECUTION_OUTPUT_MIB", "10", _whole(1, 1024, "MiB"), "Output that is kept of one step; the rest is cut."),
    Setting("CHANNEL_THREADS", "4", _whole(1, 64, "threads"), "Messages under way at the same time, for each channel."),
    Setting(
        "LOCAL_PROGRAMS",
        "",
        _programs,
        "Programs that runbooks written in the web or by the API may run on this machine: bash python3 /usr/local/bin/restart.",
    ),
    Setting(
        "LOCAL_USER",
        "",
        _user,
        "Whom programs of runbooks run as; Midwatch must be root for another one. Default: nobody for root, else Midwatch's own user.",
    ),
    Setting("LOCAL_CPU_SECONDS", "600", _whole(1, 604_800, "seconds"), "Processor time of one program of a runbook."),
    Setting("LOCAL_MEMORY_MIB", "2048", _whole(16, 1_000_000, "MiB"), "Memory of one such program."),
    Setting("LOCAL_FILE_MIB", "1024", _whole(1, 1_000_000, "MiB"), "The largest file that one such program writes."),
    Setting("LOCAL_OPEN_FILES", "1024", _whole(32, 65_536, "files"), "Files that one such program has open."),
    Setting("LOCAL_PROCESSES", "256", _whole(8, 100_000, "processes"), "Processes and threads that they may start."),
    Setting(
        "SSH_KNOWN_HOSTS", "", _path, "A file of host keys, as OpenSSH writes them, that ssh steps trust: a whole path."
    ),
    Setting(
        "ANSIBLE_RUNNER",
        "",
        _path,
        "The program ansible-runner, where it is not beside Midwatch's own: a whole path.",
    ),
    Setting("RUNBOOK_STARTS_PER_HOUR", "12", _whole(1, 10_000, "starts"), "Of one runbook in an hour, people's apart."),
    Setting("TARGET_STEPS_PER_HOUR", "60", _whole(1, 100_000, "steps"), "That touch one target in an hour."),
)
BY_NAME: Mapping[str, Setting] = {setting.name: setting for setting in SETTINGS}


def raw(name: str) -> str | None:
    """The text of one setting as given, or None. A `_FILE` twin counts for secrets; both at once is an error."""
    setting = BY_NAME[name]
    value = os.environ.get(PREFIX + name)
    path = os.environ.get(f"{PREFIX}{name}_FILE") if setting.is_secret else None
    if path:
        if value:
            raise SettingError(f"{PREFIX}{name} and {PREFIX}{name}_FILE are both set: keep one of them")
        try:
            return Path(path).read_text("utf-8").strip()
        except OSError as error:
            raise SettingError(
                f"{PREFIX}{name}_FILE={path!r}: cannot be read ({error.strerror}): give a readable file"
            ) from error
    return value


def value(name: str) -> object:
    setting = BY_NAME[name]
    given = raw(name)
    text = setting.default if given is None or given == "" else given
    try:
        return setting.read(text)
    except ValueError as error:
        shown = "(hidden)" if setting.is_secret else repr(text)
        raise SettingError(f"{PREFIX}{name}={shown}: {error}") from error


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of this process. Get it from `settings()`."""

    data_dir: Path
    database_url: str
    base_url: str
    public_url: str
    has_public_url: bool  # an address was set on purpose, so providers may call back
    email_urls: tuple[str, ...]
    email_from: str
    trusted_proxies: tuple[str, ...]
    outbound_allow: tuple[str, ...]
    watchdog_url: str
    canary: str
    peer_url: tuple[str, ...]
    peer_seconds: int
    log_level: str
    intake_queue_max: int
    event_retention_days: int
    retention_days: int
    audit_retention_days: int
    file_max_mib: int
    files_total_mib: int
    live_streams_max: int
    live_streams_per_person: int
    storm_voice_gap_seconds: int
    storm_sms_per_minute: int
    storm_other_per_minute: int
    web_threads: int
    execution_threads: int
    execution_output_mib: int
    channel_threads: int
    local_programs: tuple[str, ...]
    local_user: str
    local_cpu_seconds: int
    local_memory_mib: int
    local_file_mib: int
    local_open_files: int
    local_processes: int
    ansible_runner: str
    ssh_known_hosts: str
    runbook_starts_per_hour: int
    target_steps_per_hour: int

    @property
    def is_sqlite(self) -> bool:
        return not self.database_url

    @property
    def main_database(self) -> Path:
        return self.data_dir / "midwatch.sqlite3"

    @property
    def event_log(self) -> Path:
        return self.data_dir / "events.sqlite3"


def _is_gateway_here() -> bool:
    """A provider's gateway on this very machine can call loopback addresses back."""
    host = urlsplit(str(value("TWILIO_BASE_URL"))).hostname or ""
    return host in {"localhost", "::1"} or host.startswith("127.")


@cache
def settings() -> Settings:
    """Read once. Tests call `settings.cache_clear()` after changing the environment."""
    base_url = str(value("BASE_URL")) or os.environ.get(LISTEN_URL) or "http://127.0.0.1:8000"
    values = {
        field: value(field.upper())
        for field in Settings.__dataclass_fields__
        if field not in {"base_url", "public_url", "has_public_url", "email_urls"}
    }
    return Settings(
        base_url=base_url,
        public_url=str(value("PUBLIC_URL")) or base_url,
        has_public_url=bool(value("PUBLIC_URL") or value("BASE_URL")) or _is_gateway_here(),
        email_urls=value("EMAIL_URL"),  # type: ignore[arg-type]
        **values,  # type: ignore[arg-type]
    )


def kept_secret(file_name: str, bytes_count: int = 48) -> str:
    """A secret that lives in the data directory: made at the first call, mode 600, complete before it is visible."""
    directory = settings().data_dir
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = directory / file_name
    if not path.exists():
        temporary = directory / f".{file_name}.{secrets.token_hex(8)}"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(bytes_count) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)  # the first of several starting processes wins
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
    return path.read_text("utf-8").strip()


def secret_key() -> str:
    given = raw("SECRET_KEY")
    if given:
        if len(given) < 32:
            raise SettingError(
                "MIDWATCH_SECRET_KEY: give at least 32 characters, for example of `openssl rand -base64 48`"
            )
        return given
    if not settings().is_sqlite:
        raise SettingError(
            "MIDWATCH_SECRET_KEY: required with PostgreSQL, and the same on every node; for example `openssl rand -base64 48`"
        )
    return kept_secret("secret-key")


def previous_secret_keys() -> tuple[str, ...]:
    """What was encrypted with these still opens. Without the present one."""
    found: tuple[str, ...] = value("SECRET_KEY_PREVIOUS")  # type: ignore[assignment]
    return tuple(key for key in found if key != secret_key())


def api_token() -> str:
    """The administrator's token for scripts; "" on PostgreSQL when none is set."""
    given = raw("API_TOKEN")
    if given:
        if len(given) < 20:
            raise SettingError("MIDWATCH_API_TOKEN: give at least 20 characters, for example of `openssl rand -hex 24`")
        return given
    return kept_secret("admin-token", 32) if settings().is_sqlite else ""


def channel_values(names: tuple[str, ...]) -> dict[str, str]:
    """What a channel asked for by name, as text."""
    given: dict[str, str] = {}
    for name in names:
        found = value(name)
        given[name] = ",".join(found) if isinstance(found, tuple) else str(found)
    return given
