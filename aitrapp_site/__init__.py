"""The site: settings, processes and what holds the applications together."""

import trading as trading  # first, for what it keeps out of every process
