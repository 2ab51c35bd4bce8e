"""ocils: a language server that makes failing tests pass, locally."""

__version__ = "0.1.0"
