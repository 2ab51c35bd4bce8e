"""Models on disk: found, fetched, converted, looked at, put in their place whole or not at all."""
