"""The server, driven as editors drive it."""
