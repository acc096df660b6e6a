"""The project's own source files, for the tests that hold it to its house rules."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("aitrapp_site", "trading", "risk", "oco", "reporting")
#: Modules that touch the world outside: they may call anything, and nothing imports them.
EDGES = ("admin", "api", "schemas", "consumers", "tasks", "management", "apps")


def modules(*, with_tests: bool) -> list[Path]:
    """Paths relative to the root, migrations left out."""
    folders = [*PACKAGES, "tests"] if with_tests else list(PACKAGES)
    found = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    if (ROOT / "manage.py").exists():
        found.append(ROOT / "manage.py")
    return sorted(path.relative_to(ROOT) for path in found if "migrations" not in path.parts)


@cache
def text_of(path: Path) -> str:
    return (ROOT / path).read_text()


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(text_of(path))


def module_name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_edge(name: str) -> bool:
    """Whether the dotted module name is an edge of one of the apps."""
    return name.split(".")[0] in PACKAGES and any(part in EDGES for part in name.split(".")[1:2])


def imports_of(path: Path) -> set[str]:
    """Dotted names that a module imports, each `from a import b` as both `a` and `a.b`."""
    names: set[str] = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names
