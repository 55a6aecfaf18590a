"""The restore hold: a restored installation records everything, and pages nobody until it is released.

Comes after escalation and notification, whose work it holds back; before the restore, the web and the API, which show it
and end it. `gate` is what the engine asks, `actions` begin and end a hold, `resume` says how what waited goes on,
`queries` list what would be paged.
"""

from midwatch.engine.hold.actions import HoldError, adopt, begin, drop, release, remind
from midwatch.engine.hold.gate import Held, forget, gate
from midwatch.engine.hold.queries import Summary, Waiting, summary

__all__ = [
    "Held",
    "HoldError",
    "Summary",
    "Waiting",
    "adopt",
    "begin",
    "drop",
    "forget",
    "gate",
    "release",
    "remind",
    "summary",
]
