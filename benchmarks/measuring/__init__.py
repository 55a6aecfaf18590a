"""What the benchmarks share: how a figure is said, how one is drawn, and where they are written down."""
