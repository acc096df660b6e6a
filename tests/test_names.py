"""Names that must be explained: settings, periodic tasks, statuses and reasons."""

import ast
import importlib
import os

import pytest

from risk.rules import SENTENCES as REASON_SENTENCES
from tests import source
from trading.core.enums import OrderStatus, RiskReason
from trading.core.order_states import SENTENCES as STATUS_SENTENCES

README = source.ROOT / "README.md"
TIMETABLE = "aitrapp_site.beat"
needs_readme = pytest.mark.skipif(not README.exists(), reason="there is no README.md in this copy")


def settings_read() -> dict[str, str]:
    """Each environment variable that the source reads, with its default as the source writes it."""
    found: dict[str, str] = {}
    for path in source.modules(with_tests=False):
        for node in ast.walk(source.tree_of(path)):
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1].startswith("env_"):
                name = node.args[0] if node.args else None
                if isinstance(name, ast.Constant) and isinstance(name.value, str):
                    default = next((ast.unparse(k.value) for k in node.keywords if k.arg == "default"), "")
                    found[name.value] = default
    return dict(sorted(found.items()))


def test_settings_are_read_only_through_the_loud_readers():
    # These hand an environment on to other processes; they read no setting of their own from it.
    allowed = {
        "aitrapp_site/asgi.py",
        "aitrapp_site/beat.py",
        "aitrapp_site/celery.py",
        "aitrapp_site/embedded.py",
        "aitrapp_site/environment.py",
        "aitrapp_site/forking.py",
        "aitrapp_site/supervisor.py",
        "manage.py",
    }
    quiet = [
        f"{path}:{node.lineno}"
        for path in source.modules(with_tests=False)
        if path.as_posix() not in allowed
        for node in ast.walk(source.tree_of(path))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in {"os.environ", "os.getenv"}
    ]
    assert quiet == [], "read settings with aitrapp_site.environment"
    assert {"DATABASE_URL", "REDIS_URL", "SECRET_KEY", "AITRAPP_VAR_DIR"} <= set(settings_read())


@needs_readme
def test_every_setting_has_its_row_in_the_readme():
    readme = README.read_text()
    missing = [
        f"| `{name}` | `{default}` | |"
        for name, default in settings_read().items()
        if f"`{name}`" not in readme
    ]
    assert missing == [], "rows to add to the table of settings:\n" + "\n".join(missing)


@needs_readme
@pytest.mark.parametrize("word", [*OrderStatus, *RiskReason])
def test_every_order_status_and_risk_reason_is_in_the_readmes_glossary(word):
    assert f"`{word}`" in README.read_text()


def test_every_order_status_and_risk_reason_has_a_sentence():
    assert set(STATUS_SENTENCES) == set(OrderStatus)
    assert set(REASON_SENTENCES) == set(RiskReason)
    assert all(len(text.split()) >= 2 for text in [*STATUS_SENTENCES.values(), *REASON_SENTENCES.values()])


def test_every_periodic_task_expires_before_it_comes_again(monkeypatch):
    # The timetable's process goes without Django and says so in its environment: put back what it takes away.
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", os.environ["DJANGO_SETTINGS_MODULE"])
    app = importlib.import_module(TIMETABLE).app
    assert app.conf.beat_schedule, "the timetable is empty"
    assert [
        name for name, entry in app.conf.beat_schedule.items() if not entry.get("options", {}).get("expires")
    ] == []
