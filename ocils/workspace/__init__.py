"""The user's files, read-only: snapshots and where the workspace begins."""
