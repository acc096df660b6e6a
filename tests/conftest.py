"""Each process that runs tests has a private PostgreSQL and Valkey of its own: nothing is shared between workers."""

import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path

import django
import pytest
from _pytest.nodeid import NodeId
from django.conf import settings
from pytest_django.plugin import DjangoDbBlocker

from aitrapp_site import embedded

DATA_DIR = "AITRAPP_VAR_DIR"
#: Whole systems mostly wait, but more of them at once on two cores would wait for each other.
SYSTEMS_AT_ONCE = 3
DEFAULT_TIMEOUT_S = 120.0
_servers = ExitStack()


def _point_the_settings_at_private_servers() -> None:
    """Runs before Django reads its settings: a test run never touches a server or file of the operator."""
    data_dir = Path(tempfile.mkdtemp(prefix="aitrapp-test-", dir="/tmp"))
    data_dir.chmod(0o755)
    os.environ[DATA_DIR] = str(data_dir)
    os.environ["AITRAPP_LOG_DIR"] = str(data_dir / "logs")
    os.environ["SECRET_KEY"] = "for-tests-only-" + "k" * 50
    os.environ["DEBUG"] = "0"
    addresses = embedded.addresses(data_dir)
    os.environ.pop("REDIS_URL", None)
    addresses.export(os.environ)


_point_the_settings_at_private_servers()
os.environ["DJANGO_SETTINGS_MODULE"] = "aitrapp_site.settings"


def _runs_tests(config: pytest.Config) -> bool:
    """False for a process that only collects them, or hands them out to workers."""
    is_worker = hasattr(config, "workerinput")
    return is_worker or not (config.option.collectonly or config.getoption("dist", "no") != "no")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    if _runs_tests(config):
        try:
            _servers.enter_context(embedded.use_servers(Path(os.environ[DATA_DIR]), throwaway=True))
        except embedded.ServersError as error:
            pytest.exit(f"The tests need private servers: {error}", returncode=3)
    django.setup()
    # Else each test's client has the folders of static files listed anew.
    settings.WHITENOISE_AUTOREFRESH = True
    if not _runs_tests(config):
        # With this in its environment a worker would read the settings before it knows its own servers.
        del os.environ["DJANGO_SETTINGS_MODULE"]


def pytest_unconfigure(config: pytest.Config) -> None:
    data_dir = Path(os.environ[DATA_DIR])
    if _runs_tests(config):
        _servers.close()
        embedded.wait_until_stopped(data_dir, timeout_s=20)
    shutil.rmtree(data_dir, ignore_errors=True)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """The test database, made to be emptied again and again."""
    from tests.audit_rows import let_the_audit_be_emptied

    with django_db_blocker.unblock():
        let_the_audit_be_emptied()


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    """Tests of the whole system come first, since they mostly wait; what shares a fixture shares a worker.

    The rest stays in the order that pytest-django gives it: transactional tests, which empty every table, after
    those that need the rows of the migrations.
    """
    yield
    items.sort(key=_allowed_system_s, reverse=True)
    if config.getoption("loadgroup", default=False):
        lanes = _lanes(items)
        for item in items:
            module = _module(item)
            if module in lanes or _shares_a_module_fixture(item):
                # The marker xdist_group would do, but pytest-xdist 3.8 writes it where pytest 9 does not look.
                item._id = NodeId.parse(f"{item.nodeid}@{lanes.get(module, module)}")


def pytest_collection_finish() -> None:
    """What was imported and collected stays to the end: garbage is not looked for in it again and again."""
    gc.collect()
    gc.freeze()


def _lanes(items: list[pytest.Item]) -> dict[str, str]:
    """Which modules run whole systems, each with its lane; a lane is one worker's, one system after the other."""
    allowed_s = {_module(item): _allowed_system_s(item) for item in items}
    modules = sorted((module for module, s in allowed_s.items() if s), key=lambda module: -allowed_s[module])
    # Back and forth, so that the longest has its lane to itself and the shortest share theirs.
    turns = cycle([*range(SYSTEMS_AT_ONCE), *reversed(range(SYSTEMS_AT_ONCE))])
    return {module: f"system {turn + 1}" for module, turn in zip(modules, turns, strict=False)}


def _module(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


def _allowed_system_s(item: pytest.Item) -> float:
    """The timeout of a test of the whole system, 0 for any other test."""
    if item.get_closest_marker("system") is None:
        return 0.0
    timeout = item.get_closest_marker("timeout")
    return float(timeout.args[0]) if timeout else DEFAULT_TIMEOUT_S


def _shares_a_module_fixture(item: pytest.Item) -> bool:
    if not isinstance(item, pytest.Function):
        return False
    known = item._fixtureinfo.name2fixturedefs
    return any(found.scope == "module" for name in item.fixturenames for found in known.get(name, ()))
