"""The trading application."""

import sys

# Twisted is installed for the official client's ticker alone, which nothing here uses; but structlog loads it
# wherever it finds it, 10 MB in each process.
if "twisted" not in sys.modules:
    sys.modules["twisted"] = None  # type: ignore[assignment]  # Python's own way to say "not to be found"
    import structlog as structlog

    del sys.modules["twisted"]
