import subprocess
import sys

import pytest
from django.conf import settings
from django.db import connection

from aitrapp_site import embedded

PRINT_DATABASE = "from aitrapp_site import settings; print(settings.DATABASES['default'])"


@pytest.mark.django_db
def test_tests_run_on_a_private_postgresql_with_indian_time():
    with connection.cursor() as cursor:
        cursor.execute("SHOW listen_addresses")
        assert cursor.fetchone() == ("",)
    assert connection.settings_dict["NAME"].startswith("test_aitrapp")
    assert (settings.TIME_ZONE, settings.USE_TZ) == ("Asia/Kolkata", True)


def printed_database(monkeypatch, **environment: str) -> str:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    answer = subprocess.run(
        [sys.executable, "-c", PRINT_DATABASE],
        cwd=embedded.PROJECT_DIR,
        capture_output=True,
        text=True,
        check=True,
    )
    return answer.stdout


def test_only_the_web_process_keeps_its_connections_in_a_pool(monkeypatch):
    assert "'pool'" not in printed_database(monkeypatch)
    pooled = printed_database(monkeypatch, DATABASE_POOL="1", DATABASE_POOL_SIZE="7")
    assert "'max_size': 7" in pooled
    assert "'CONN_MAX_AGE': 0" in pooled
    assert "'CONN_HEALTH_CHECKS': True" in pooled


def test_without_addresses_the_settings_name_the_private_servers(monkeypatch, tmp_path):
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.setenv("AITRAPP_VAR_DIR", str(tmp_path))
    printed = printed_database(monkeypatch)
    expected = embedded.addresses(tmp_path).database_url
    assert expected.removeprefix("postgres://aitrapp@/aitrapp?host=") in printed
