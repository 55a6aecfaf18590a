"""Views of the on-call pages: who now, one schedule, its overrides, its layers, a new one, the calendar feed."""
