"""Makes the demo's data in the environment's data directory. A process of its own: `python -m midwatch.demo.build`.

Reads {"password", "phones"} from standard input, writes the link of the page that is open now. What needs Django is
imported by name, after Django was set up.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys


def main() -> int:
    told = json.load(sys.stdin)
    os.environ["DJANGO_SETTINGS_MODULE"] = "midwatch.django_settings"
    gc.disable()  # it lives for seconds, and looking for garbage would be a sixth of them
    importlib.import_module("midwatch.core.logs").configure("error")
    importlib.import_module("django").setup()
    importlib.import_module("midwatch.startup").prepare(None)
    week = importlib.import_module("midwatch.demo.week")
    week.live(told["password"], told["phones"])
    sys.stdout.write(f"{week.landing_link()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
