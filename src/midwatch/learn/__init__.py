"""Learn: the wing for what follows when the incident is over. It may know `respond` and the ground floor."""
