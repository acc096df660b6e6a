"""What import-linter cannot say: purity down to the standard library, and that nobody imports an edge."""

import sys
from pathlib import Path

import pytest

from tests import source

#: Modules and packages that may use the standard library, numpy and each other, and nothing else.
PURE = (
    "trading.core",
    "trading.strategies",
    "trading.exchange",
    "trading.broker.base",
    "trading.broker.kite.environment",
    "trading.broker.kite.parse",
    "trading.broker.kite.frames",
    "trading.broker.kite.errors",
    "risk.limits",
    "risk.protections",
    "risk.rules",
    "risk.values",
    "oco.differences",
    "oco.plan",
    "oco.prices",
    "oco.problems",
    "oco.split",
    "oco.trailing",
    "oco.views",
    "oco.witnesses",
    "reporting.criteria",
    "reporting.exposure",
    "reporting.facts",
    "reporting.invariants",
    "reporting.results",
)
#: The paper exchange's server and everything only the server needs.
IMPURE_IN_PURE = ("trading.exchange.server", "trading.exchange.journal", "trading.exchange.__main__")
#: They reach outside although they stand in the standard library.
OUTSIDE = {
    "asyncio",
    "http.client",
    "http.server",
    "multiprocessing",
    "socket",
    "sqlite3",
    "subprocess",
    "threading",
    "urllib.request",
}

MODULES = {source.module_name(path): path for path in source.modules(with_tests=False)}


def is_pure(name: str) -> bool:
    def lies_in(places: tuple[str, ...]) -> bool:
        return any(name == place or name.startswith(f"{place}.") for place in places)

    return lies_in(PURE) and not lies_in(IMPURE_IN_PURE)


def foreign_imports(path: Path) -> list[str]:
    foreign = []
    for name in source.imports_of(path):
        top = name.split(".")[0]
        if top in source.PACKAGES:
            if name in MODULES and not is_pure(name) and source.text_of(MODULES[name]).strip():
                foreign.append(name)
        elif name in OUTSIDE or (top not in sys.stdlib_module_names and top != "numpy"):
            foreign.append(name)
    return sorted(foreign)


@pytest.mark.parametrize("name", sorted(name for name in MODULES if is_pure(name)))
def test_a_pure_module_uses_only_the_standard_library_numpy_and_its_like(name):
    assert foreign_imports(MODULES[name]) == []


def test_nobody_imports_an_edge_but_another_edge_and_the_site():
    found = [
        f"{importer} imports {imported}"
        for importer, path in MODULES.items()
        if not source.is_edge(importer) and importer.split(".")[0] in {"trading", "risk", "oco", "reporting"}
        for imported in source.imports_of(path)
        if source.is_edge(imported)
    ]
    assert found == []
