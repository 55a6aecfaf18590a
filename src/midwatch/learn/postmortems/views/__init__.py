"""Pages of post-mortems: parse, permit, act, show."""
