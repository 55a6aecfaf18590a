"""Does an engine run, and is anything late?"""

from __future__ import annotations

from datetime import timedelta

from midwatch.core import clock
from midwatch.core.contribute import Check
from midwatch.core.integration import ChannelConfig
from midwatch.core.talking import chore_of, streams
from midwatch.engine import canary, clock_steps, hold, peers
from midwatch.engine.models import Chore, Node, Peer
from midwatch.engine.tick import lateness
from midwatch.settings import channel_values, settings

STALLED = timedelta(seconds=10)
LATE_SECONDS_WARNING = 10.0
LATE_SECONDS_FAILED = 60.0
CANARY_OLD_SECONDS = 150.0


def engine_runs() -> Check:
    question = "Does an engine run?"
    remedy = "start `midwatch serve`, or `midwatch engine` on some machine"
    last = Node.objects.exclude(ticked_at=None).order_by("-ticked_at").first()
    if last is None or last.ticked_at is None:
        return Check("engine", question, "failed", "none ever ticked, so nobody is paged", remedy)
    still = clock.now() - last.ticked_at
    seconds = int(still.total_seconds())
    if last.stopped_at is not None and last.stopped_at >= last.ticked_at:
        return Check("engine", question, "failed", f"the last one stopped {seconds} s ago", remedy)
    if still > STALLED:
        text = f"{last.name} has not ticked for {seconds} s"
        return Check("engine", question, "failed", text, f"{remedy}; the log of {last.name} says what it does")
    live = Node.objects.filter(ticked_at__gt=clock.now() - STALLED, stopped_at=None).count()
    return Check("engine", question, "ok", f"{live} ticking, the last {max(seconds, 0)} s ago (version {last.version})")


def nothing_is_late() -> Check:
    question = "Is anything late?"
    found = lateness(clock.now())
    kind, seconds = max(found.items(), key=lambda item: item[1])
    if seconds >= LATE_SECONDS_WARNING:
        text = f"{kind} are up to {seconds:.0f} s late"
        remedy = "is the engine running and the machine free? `midwatch_due_lateness_seconds` shows whether it shrinks"
        return Check(
            "engine.lateness", question, "failed" if seconds >= LATE_SECONDS_FAILED else "warning", text, remedy
        )
    return Check("engine.lateness", question, "ok", f"the latest work is {seconds:.1f} s late")


def somebody_watches() -> Check:
    question = "Does somebody outside notice when Midwatch is down?"
    if not settings().watchdog_url and settings().peer_url:
        watched = f"it watches {len(settings().peer_url)} other installations: let one of them watch this one too"
        return Check("engine.watchdog", question, "ok", watched)
    if not settings().watchdog_url:
        remedy = "set MIDWATCH_WATCHDOG_URL to a check of a dead-man monitor elsewhere"
        text = "no dead-man monitor: if this machine stops, nobody hears of it"
        return Check("engine.watchdog", question, "warning", text, remedy)
    return Check("engine.watchdog", question, "ok", "a dead-man monitor is asked for every minute")


def the_canary_arrives() -> Check:
    question = "Does an event come through the whole of Midwatch as a page?"
    if settings().canary == "off":
        text = "the canary is off (MIDWATCH_CANARY): nothing proves each minute that pages go out"
        return Check("engine.canary", question, "warning", text, "leave MIDWATCH_CANARY out")
    found = canary.last()
    if found.problem:
        remedy = "the engine's log says more; the doctor's other answers show what else is wrong"
        return Check("engine.canary", question, "failed", f"the last one was lost: {found.problem}", remedy)
    if found.age_seconds is None:
        return Check("engine.canary", question, "ok", "none has flown yet")
    if found.age_seconds > CANARY_OLD_SECONDS and hold.gate() is None:
        text = f"the last one that arrived was sent {found.age_seconds:.0f} s ago"
        return Check("engine.canary", question, "failed", text, "is an engine running? Its log says what it does")
    at = f"{found.now - timedelta(seconds=found.age_seconds):%Y-%m-%d %H:%M:%S} UTC"
    return Check("engine.canary", question, "ok", f"the last one left at {at} and took {found.took_seconds or 0:.2f} s")


def peers_are_well() -> list[Check]:
    question = "Are the other installations well that this one watches?"
    return [
        Check("engine.peers", question, "failed", f"{peers.name_of(peer.url)}: {peer.problem}", "look after it")
        if peer.problem
        else Check("engine.peers", question, "ok", f"{peers.name_of(peer.url)} is well")
        for peer in Peer.objects.filter(url__in=settings().peer_url).order_by("url")
    ]


def paging_goes_on() -> Check:
    question = "Does paging go on?"
    found = hold.summary()
    if found.held is None:
        return Check("engine.hold", question, "ok", "it is not on hold")
    if found.held.is_dropped:
        text = "this restore was dropped as a drill: it records, and never pages anybody"
        return Check("engine.hold", question, "failed", text, "stop it; or restore the backup again to use it")
    text = f"it is on hold since {found.held.since:%Y-%m-%d %H:%M} UTC ({found.held.reason}): {found.sentence}"
    return Check("engine.hold", question, "failed", text, "look with `midwatch restore --list`, then `--release`")


def clock_is_steady() -> Check:
    question = "Did the clock step in the last 24 hours?"
    steps = clock_steps.steps_since(clock.now() - timedelta(hours=24))
    if not steps:
        return Check("clock.steps", question, "ok", "no")
    last = steps[0]
    text = f"{len(steps)} times, the last at {last.at:%Y-%m-%d %H:%M} UTC: {last.object_name} by {last.detail.get('seconds', 0)} s"
    remedy = "let the clock be slewed, not stepped (chrony, ntpd), on this machine and the database's; times of then may be wrong"
    return Check("clock.steps", question, "warning", text, remedy)


def sockets_are_held() -> list[Check]:
    """Of chats that are reached by a socket that we open; a web process holds each."""
    found = []
    for provider, stream in streams().items():
        if not stream.is_wanted(ChannelConfig(values=channel_values(tuple(stream.SETTINGS)))):
            continue
        name, question = f"socket.{provider}", f"Does a process hold the socket to {provider}?"
        if Chore.objects.filter(name=chore_of(provider), claimed_until__gt=clock.now()).exists():
            found.append(Check(name, question, "ok", "one does"))
        else:
            said = "none does: commands and buttons from there reach nobody"
            found.append(Check(name, question, "warning", said, "is a web process running? its log says why it is not"))
    return found


CHECKS = (
    sockets_are_held,
    engine_runs,
    nothing_is_late,
    the_canary_arrives,
    somebody_watches,
    peers_are_well,
    paging_goes_on,
    clock_is_steady,
)
