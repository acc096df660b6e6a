import json
import logging
import multiprocessing

import pytest
import structlog
from django.core.exceptions import ImproperlyConfigured

from aitrapp_site import logs


@pytest.fixture
def log(tmp_path):
    """A logger of its own that writes where the program's would, and reads its lines back."""
    path = tmp_path / "logs" / "aitrapp.log"
    config = logs.logging_config(path, level="INFO", max_mb=1, keep=2, to_console=False)
    handler = logs.SharedRotatingHandler(path, max_bytes=1_000_000, keep=2)
    formatter = config["formatters"]["json"]
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=formatter["processors"], foreign_pre_chain=formatter["foreign_pre_chain"]
        )
    )
    logger = logging.getLogger("tests.logs")
    logger.propagate = False
    logger.setLevel("INFO")
    logger.addHandler(handler)
    yield logger, lambda: [json.loads(line) for line in path.read_text().splitlines()]
    logger.removeHandler(handler)
    handler.close()


def test_both_kinds_of_logger_write_json_lines_with_level_and_time(log):
    logger, lines = log
    logger.warning("book read in %d ms", 12)
    structlog.stdlib.get_logger("tests.logs").info("order_accepted", quantity=75)
    first, second = lines()
    assert (first["event"], first["level"], first["logger"]) == (
        "book read in 12 ms",
        "warning",
        "tests.logs",
    )
    assert (second["event"], second["quantity"], second["level"]) == ("order_accepted", 75, "info")
    assert first["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"access_token": "s3cret"}, {"access_token": "[redacted]"}),
        ({"headers": {"Authorization": "token k:s3cret"}}, {"headers": {"Authorization": "[redacted]"}}),
        ({"orders": [{"api_key": "s3cret"}]}, {"orders": [{"api_key": "[redacted]"}]}),
        ({"event": "GET /x?api_key=s3cret&v=3"}, {"event": "GET /x?api_key=[redacted]&v=3"}),
        ({"event": "sent token abc:s3cret"}, {"event": "sent token [redacted]"}),
        ({"event": "Bearer s3crets3cret!"}, {"event": "Bearer [redacted]!"}),
        ({"event": '{"password": "s3cret"}'}, {"event": '{"password": "[redacted]"}'}),
        ({"url": "postgres://desk:s3cret@db/x"}, {"url": "postgres://desk:[redacted]@db/x"}),
        ({"instrument_token": 256265}, {"instrument_token": 256265}),
        ({"event": "instrument_token=256265"}, {"event": "instrument_token=256265"}),
    ],
)
def test_what_would_open_an_account_never_reaches_the_log(event, expected):
    assert logs.redact(None, "info", event) == expected


def test_a_token_in_a_traceback_is_redacted_too(log):
    logger, lines = log
    try:
        raise ValueError("login with request_token=s3cret failed")
    except ValueError:
        logger.exception("login failed")
    (line,) = lines()
    assert "s3cret" not in json.dumps(line)
    assert "request_token=[redacted] failed" in line["exception"]


def _write_many(path, name):
    handler = logs.SharedRotatingHandler(path, max_bytes=20_000, keep=50)
    for number in range(500):
        handler.emit(logging.LogRecord("x", logging.INFO, "", 0, f"{name} {number} {'.' * 80}", None, None))
    handler.close()


def test_processes_that_share_a_full_log_lose_no_line(tmp_path):
    path = tmp_path / "aitrapp.log"
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write_many, args=(path, name)) for name in ("a", "b")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(timeout=30)
    files = list(tmp_path.glob("aitrapp.log*"))
    written = [line.split(" .")[0] for file in files for line in file.read_text().splitlines()]
    assert sorted(written) == sorted(f"{name} {number}" for name in "ab" for number in range(500))
    assert len(files) > 3
    assert max(file.stat().st_size for file in files) < 25_000


def test_old_logs_beyond_the_number_kept_are_dropped(tmp_path):
    handler = logs.SharedRotatingHandler(tmp_path / "a.log", max_bytes=10, keep=2)
    for number in range(6):
        handler.emit(logging.LogRecord("x", logging.INFO, "", 0, f"line number {number}", None, None))
    handler.close()
    assert {file.name: file.read_text() for file in tmp_path.glob("a.log*")} == {
        "a.log": "line number 5\n",
        "a.log.1": "line number 4\n",
        "a.log.2": "line number 3\n",
    }


def test_an_unknown_level_and_a_folder_that_cannot_be_are_named(tmp_path):
    with pytest.raises(ImproperlyConfigured, match="LOG_LEVEL is 'LOUD'"):
        logs.logging_config(tmp_path / "a.log", level="LOUD", max_mb=1, keep=1, to_console=False)
    (tmp_path / "file").write_text("")
    with pytest.raises(ImproperlyConfigured, match="Set AITRAPP_LOG_DIR"):
        logs.logging_config(tmp_path / "file" / "a.log", level="INFO", max_mb=1, keep=1, to_console=False)
