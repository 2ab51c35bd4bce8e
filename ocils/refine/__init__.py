"""The turn loop: localise, propose, judge, rank, confirm; no third-party IO."""
