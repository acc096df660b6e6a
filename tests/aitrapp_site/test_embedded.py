"""The private servers, on real programs in a folder of their own. One keeper serves most of these tests."""

import os
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
import redis

from aitrapp_site import embedded, server_folders

CLIENT = """
import sys, pathlib
from aitrapp_site import embedded
with embedded.use_servers(pathlib.Path(sys.argv[1])) as servers:
    print(servers.boot_id, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def data_dir():
    """A data folder that PostgreSQL's user can reach even when the tests run as root."""
    folder = Path(f"/tmp/aitrapp-embedded-{os.getpid()}-{time.monotonic_ns()}")
    folder.mkdir(mode=0o755)
    yield folder
    assert embedded.wait_until_stopped(folder, timeout_s=20)
    subprocess.run(["rm", "-rf", folder], check=True)


def start_client(data_dir: Path) -> tuple[subprocess.Popen[str], str]:
    client = subprocess.Popen(
        [sys.executable, "-c", CLIENT, str(data_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=embedded.PROJECT_DIR,
    )
    assert client.stdout is not None
    return client, client.stdout.readline().strip()


def start_and_leave(data_dir: Path) -> None:
    with embedded.use_servers(data_dir):
        pass


def processes_of(data_dir: Path) -> list[str]:
    """Command lines that name the data folder: the keeper's and PostgreSQL's (Valkey hides its own)."""
    listing = subprocess.run(["ps", "-ewwo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listing.splitlines() if str(data_dir) in line]


def wait_for(condition, timeout_s: float):
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "waited in vain"
        select.select([], [], [], 0.05)


def test_the_database_and_its_rows_survive_a_restart_and_the_boot_id_does_not(data_dir):
    with embedded.use_servers(data_dir) as first:
        with psycopg.connect(first.database_url) as connection:
            connection.execute("CREATE TABLE kept (price_paise bigint)")
            connection.execute("INSERT INTO kept VALUES (2350005)")
        redis.Redis.from_url(first.redis_url).set("kept", "yes")
    assert embedded.wait_until_stopped(data_dir, timeout_s=10)
    assert not embedded.answers(first)
    with embedded.use_servers(data_dir) as second:
        with psycopg.connect(second.database_url) as connection:
            assert connection.execute("SELECT price_paise FROM kept").fetchall() == [(2350005,)]
            assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)
        assert redis.Redis.from_url(second.redis_url).get("kept") == b"yes"
        assert second.boot_id != first.boot_id


def test_two_users_share_one_pair_and_it_outlives_the_one_that_started_it(data_dir):
    starter, boot_id = start_client(data_dir)
    with embedded.use_servers(data_dir) as servers:
        assert servers.boot_id == boot_id
        starter.kill()
        starter.wait()
        select.select([], [], [], 1.8)
        assert embedded.answers(servers)


def test_after_kill_9_of_the_last_user_everything_is_gone_within_ten_seconds(data_dir):
    client, _ = start_client(data_dir)
    assert len(processes_of(data_dir)) >= 2
    client.kill()
    client.wait()
    wait_for(lambda: not processes_of(data_dir), timeout_s=10)
    assert not (data_dir / "servers.json").exists()
    assert not (data_dir / "postgres" / "postmaster.pid").exists(), "PostgreSQL was not stopped cleanly"


def test_each_server_that_is_killed_comes_back_and_postgresql_with_its_data(data_dir):
    with embedded.use_servers(data_dir) as servers:
        with psycopg.connect(servers.database_url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
        os.kill(int((data_dir / "postgres" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
        wait_for(lambda: not embedded.answers(servers), timeout_s=5)
        wait_for(lambda: embedded.answers(servers), timeout_s=15)
        with psycopg.connect(servers.database_url) as connection:
            assert connection.execute("SELECT one FROM kept").fetchone() == (1,)
        valkey = redis.Redis.from_url(servers.redis_url)
        killed = valkey.info("server")["process_id"]
        os.kill(killed, signal.SIGKILL)
        wait_for(lambda: embedded.valkey_answers(servers.redis_url), timeout_s=10)
        assert valkey.info("server")["process_id"] != killed


def test_kill_9_of_the_keeper_takes_the_servers_along_and_the_next_user_starts_anew(data_dir):
    with embedded.use_servers(data_dir) as servers:
        keeper_pids = subprocess.run(
            ["pgrep", "-f", f"aitrapp_site.keeper --data-dir {data_dir}"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        assert len(keeper_pids) == 1
        os.kill(int(keeper_pids[0]), signal.SIGKILL)
        wait_for(lambda: not embedded.answers(servers), timeout_s=5)
        with embedded.use_servers(data_dir) as again:
            assert again.boot_id != servers.boot_id
            assert again.database_url == servers.database_url


def test_a_full_disk_is_named_before_anything_is_made(data_dir, monkeypatch):
    monkeypatch.setenv("AITRAPP_MIN_FREE_MB", "999999999")
    with pytest.raises(embedded.ServersError, match=r"Only \d+ MB are free .* lower AITRAPP_MIN_FREE_MB"):
        start_and_leave(data_dir)
    assert not (data_dir / "postgres").exists()


def test_a_folder_without_programs_is_named(data_dir, monkeypatch):
    monkeypatch.setenv("AITRAPP_POSTGRES_BIN", "/nowhere")
    with pytest.raises(
        embedded.ServersError, match="AITRAPP_POSTGRES_BIN is /nowhere, which holds no working"
    ):
        start_and_leave(data_dir)


def test_data_of_another_major_version_is_named_and_left_alone(data_dir):
    (data_dir / "postgres").mkdir()
    (data_dir / "postgres" / "PG_VERSION").write_text("9\n")
    with pytest.raises(embedded.ServersError, match="was made by PostgreSQL 9, which is not installed"):
        start_and_leave(data_dir)
    assert (data_dir / "postgres" / "PG_VERSION").read_text() == "9\n"


def test_a_file_where_the_data_folder_should_be_is_named(tmp_path):
    (tmp_path / "var").write_text("")
    with pytest.raises(embedded.ServersError, match=r"cannot be opened .* set AITRAPP_VAR_DIR"):
        start_and_leave(tmp_path / "var")


def test_a_deep_data_folder_gets_its_sockets_in_a_short_one(tmp_path):
    folders = server_folders.folders_of(tmp_path / ("deep" * 30))
    assert re.fullmatch(r"/tmp/aitrapp-[0-9a-f]{12}", str(folders.sockets_dir))
    assert folders.database_url == f"postgres://aitrapp@/aitrapp?host={folders.sockets_dir}"


@pytest.mark.skipif(os.getuid() != 0, reason="only root lends PostgreSQL another user")
def test_a_project_under_a_closed_folder_keeps_its_data_where_the_lent_user_can_go(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    folders = server_folders.folders_of(closed / "var")
    assert re.fullmatch(r"/var/lib/aitrapp-[0-9a-f]{12}/postgres", str(folders.postgres_dir))
    assert f"nobody cannot enter {closed}/var" in folders.note


@pytest.mark.skipif(os.getuid() != 0, reason="only root lends PostgreSQL another user")
def test_a_user_to_lend_that_does_not_exist_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("AITRAPP_POSTGRES_USER", "no-such-user")
    with pytest.raises(embedded.ServersError, match="no unprivileged user 'no-such-user'"):
        server_folders.folders_of(tmp_path)
