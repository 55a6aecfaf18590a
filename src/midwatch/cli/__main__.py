"""`python -m midwatch.cli`: the same as `midwatch`."""

from __future__ import annotations

import sys

from midwatch.cli import main

if __name__ == "__main__":
    sys.exit(main())
