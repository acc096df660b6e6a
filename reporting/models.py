"""Reporting keeps no rows of its own: its evidence is `risk.models.BurninDay`, which the LIVE gate reads."""
