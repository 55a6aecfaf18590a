"""The deterministic simulation: one seed is one run of the paging core, with everything that can go wrong in it.

Comes after every room it drives (the real actions, jobs and pools, on a real database); before the command line, and no
other room knows of it. What is simulated is the world around: the clock, the wire, the people, the sources, and when a
node gets the processor, is stopped, or dies. `docs/reference/simulation.md` says what is and is not covered.
"""
