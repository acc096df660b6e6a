"""The paper exchange as a process: Kite's HTTP routes and ticker on one port, one event loop, no database."""
