"""The kill test: the real program, every process of it, under faults drawn from a seed (`make chaos`).

The program runs with settings.py of this package, which puts the seams of seams.py into its processes; its broker is
behind the proxy of proxy.py. The nemesis decides what goes wrong and when, the judge reads the exchange's own
journal.
"""
