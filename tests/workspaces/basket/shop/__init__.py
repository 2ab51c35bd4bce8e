"""A shop too small for its own good."""
