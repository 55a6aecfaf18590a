"""`python -m midwatch.simulation`, the same as `midwatch-sim`."""

import sys

from midwatch.simulation.command import main

if __name__ == "__main__":
    sys.exit(main())
