"""Deliberate defects: each undoes one lesson, and a campaign must notice it. A harness that finds nothing it was fed
proves nothing.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final

from tests.simulation import defects

Patch = tuple[Any, str, Callable[[Any], Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Mutant:
    """`patches` are (owner, name, from the real thing to the broken one). `first_seeds` are tried before the others:
    they are known to have what it takes to show the defect.
    """

    undoes: str
    patches: tuple[Patch, ...]
    first_seeds: tuple[int, ...] = ()


MUTANTS: Final[dict[str, Mutant]] = {
    name: Mutant(undoes=undoes, patches=patches) for name, undoes, patches in defects.ALL
}


@contextmanager
def applied(name: str) -> Iterator[None]:
    """Have the program carry one defect while the block runs; an empty name changes nothing."""
    with ExitStack() as stack:
        for owner, attribute, breaking in MUTANTS[name].patches if name else ():
            stack.enter_context(_replaced(owner, attribute, breaking))
        yield


@contextmanager
def _replaced(owner: Any, attribute: str, breaking: Callable[[Any], Any]) -> Iterator[None]:
    real = owner.__dict__[attribute]
    setattr(owner, attribute, breaking(real))
    try:
        yield
    finally:
        setattr(owner, attribute, real)
