"""``python -m ocils``."""

from ocils.cli import main

raise SystemExit(main())
