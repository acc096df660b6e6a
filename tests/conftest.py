"""One private PostgreSQL and Valkey for a whole test run; each pytest-xdist worker has its own database."""

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

import django
import pytest

from aitrapp_site import embedded

DATA_DIR = "AITRAPP_VAR_DIR"
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


# A worker inherits all this from the process that started it.
if "PYTEST_XDIST_WORKER" not in os.environ:
    _point_the_settings_at_private_servers()
os.environ["DJANGO_SETTINGS_MODULE"] = "aitrapp_site.settings"


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput") and not config.option.collectonly:
        try:
            _servers.enter_context(embedded.use_servers(Path(os.environ[DATA_DIR]), throwaway=True))
        except embedded.ServersError as error:
            pytest.exit(f"The tests need private servers: {error}", returncode=3)
    django.setup()


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        _servers.close()
        embedded.wait_until_stopped(Path(os.environ[DATA_DIR]), timeout_s=20)
