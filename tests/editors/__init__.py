"""Real editors, driven."""
