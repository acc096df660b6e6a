"""House rules that a linter does not know."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import source

FUNCTION_LINES_MAX = 50
MODULE_LINES_MAX = 400
BANNED_NAMES = {"util", "helper", "service", "manager", "common", "misc"}
MONEY_WORDS = re.compile(r"price|paise|inr|amount|pnl|charge|capital|heat|margin|rupee|cash", re.IGNORECASE)
#: Kite's JSON and Prometheus carry money as a number: there it is written, never calculated with. A score is
#: made of ratios of prices, which are not money.
MONEY_LEAVES_AS_FLOAT_IN = (
    "trading/exchange/",
    "trading/broker/kite/",
    "trading/core/pictures.py",
    "reporting/metrics.py",
)
#: A float column may hold a measurement or a score, never money.
MEASURED_COLUMN = re.compile(r"(_ms|_s|score|_ratio)$")
CLOCKS = {
    "timezone.now",
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
    "time.time",
    "time.time_ns",
}
#: Beside the edges: where a process starts and hands its clock down.
CLOCKS_ALLOWED_IN = ("aitrapp_site/", "trading/exchange/__main__.py", "manage.py")
STATUS_OWNER = "trading/orders.py"
#: The paper exchange keeps an order book of its own, like the broker it plays.
STATUS_FREE_IN = "trading/exchange/"
LEFTOVER = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HACK)\b")
BARE_IGNORE = re.compile(r"type:\s*ignore(?!\[[a-z-]+(, ?[a-z-]+)*\]\s+# ?\S)")

SOURCE = source.modules(with_tests=False)
EVERYTHING = source.modules(with_tests=True)
TESTS = [path for path in EVERYTHING if path.name.startswith("test_")]

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(path: Path) -> Iterator[Function]:
    return (node for node in ast.walk(source.tree_of(path)) if isinstance(node, Function))


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    return ((ast.unparse(node.func), node) for node in ast.walk(tree) if isinstance(node, ast.Call))


def is_in(path: Path, places: tuple[str, ...]) -> bool:
    return path.as_posix().startswith(places)


def test_no_function_is_longer_than_fifty_lines():
    long = [
        f"{path}:{node.lineno} {node.name}: {node.end_lineno - node.lineno + 1} lines"
        for path in EVERYTHING
        for node in functions(path)
        if node.end_lineno is not None and node.end_lineno - node.lineno + 1 > FUNCTION_LINES_MAX
    ]
    assert long == []


def test_no_module_is_longer_than_four_hundred_lines():
    lengths = {path.as_posix(): source.text_of(path).count("\n") for path in EVERYTHING}
    assert {path: lines for path, lines in lengths.items() if lines > MODULE_LINES_MAX} == {}


def test_no_module_has_a_name_where_things_go_to_be_lost():
    lost = [
        path
        for path in EVERYTHING
        if BANNED_NAMES & {part.removesuffix("s") for part in (*path.parts[:-1], path.stem)}
    ]
    assert lost == []


def test_money_is_never_turned_into_a_float():
    found = [
        f"{path}:{node.lineno} {ast.unparse(node)}"
        for path in SOURCE
        if not is_in(path, MONEY_LEAVES_AS_FLOAT_IN)
        for name, node in calls(source.tree_of(path))
        if name == "float" and MONEY_WORDS.search(ast.unparse(node))
    ]
    assert found == []


def test_float_columns_hold_measurements_only():
    found = []
    for path in SOURCE:
        for node in ast.walk(source.tree_of(path)):
            if isinstance(node, ast.Assign) and "FloatField(" in ast.unparse(node.value):
                column = ast.unparse(node.targets[0])
                if not MEASURED_COLUMN.search(column):
                    found.append(f"{path}:{node.lineno} {column}")
    assert found == []


def test_nothing_below_the_edges_asks_the_computer_what_time_it_is():
    found = [
        f"{path}:{node.lineno} {name}"
        for path in SOURCE
        if not is_in(path, CLOCKS_ALLOWED_IN) and not source.is_edge(source.module_name(path))
        for name, node in calls(source.tree_of(path))
        if ".".join(name.split(".")[-2:]) in CLOCKS
    ]
    assert found == []


def _writes_status(node: ast.AST) -> bool:
    if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return any(isinstance(target, ast.Attribute) and target.attr == "status" for target in targets)
    if isinstance(node, ast.Call):
        is_update = isinstance(node.func, ast.Attribute) and node.func.attr == "update"
        is_setattr = ast.unparse(node.func) == "setattr" and "'status'" in ast.unparse(node)
        return is_setattr or (is_update and any(keyword.arg == "status" for keyword in node.keywords))
    return False


def test_only_its_owner_writes_an_orders_status():
    found = [
        f"{path}:{node.lineno} {ast.unparse(node)}"
        for path in SOURCE
        if path.as_posix() != STATUS_OWNER and not is_in(path, (STATUS_FREE_IN,))
        for node in ast.walk(source.tree_of(path))
        if _writes_status(node) and isinstance(node, ast.stmt | ast.expr)
    ]
    assert found == []


def _comments(path: Path) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(source.text_of(path)).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def test_no_leftovers_and_no_unexplained_silencing():
    found = [
        f"{path}:{line} {comment}"
        for path in EVERYTHING
        for line, comment in _comments(path)
        if LEFTOVER.search(comment) or BARE_IGNORE.search(comment)
    ]
    assert found == []


def test_nobody_waits_by_sleeping_or_replaces_our_own_code_by_mocks():
    slept = [
        f"{p}:{node.lineno}"
        for p in EVERYTHING
        for name, node in calls(source.tree_of(p))
        if name == "time.sleep"
    ]
    mocked = [
        path
        for path in EVERYTHING
        if any(name.startswith("unittest.mock") for name in source.imports_of(path))
    ]
    assert (slept, mocked) == ([], [])


def _asserts(node: ast.AST, asserting: set[str]) -> bool:
    """Whether a test checks anything itself, or through a function of its module that does."""
    for part in ast.walk(node):
        if isinstance(part, ast.Assert):
            return True
        if isinstance(part, ast.Call):
            name = ast.unparse(part.func)
            if name.startswith(("pytest.raises", "pytest.warns", "pytest.fail")) or "assert" in name:
                return True
            if name.split(".")[-1] in asserting:
                return True
    return False


@pytest.mark.parametrize("path", TESTS, ids=str)
def test_every_test_asserts_something(path):
    asserting = {
        node.name for node in functions(path) if any(isinstance(n, ast.Assert) for n in ast.walk(node))
    }
    silent = [
        f"{path}:{node.lineno} {node.name}"
        for node in functions(path)
        if node.name.startswith("test_") and not _asserts(node, asserting)
    ]
    assert silent == []


def test_test_names_are_sentences():
    short = [
        f"{path}:{node.lineno} {node.name}"
        for path in TESTS
        for node in functions(path)
        if node.name.startswith("test_") and len(node.name.split("_")) < 4
    ]
    assert short == []
