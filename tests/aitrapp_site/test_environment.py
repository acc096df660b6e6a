import pytest
from django.core.exceptions import ImproperlyConfigured

from aitrapp_site import environment


def test_a_database_address_with_host_and_port_is_taken_apart():
    assert environment.database_from_url("postgres://desk:p%40ss@db.local:5433/trading?sslmode=require") == {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "trading",
        "USER": "desk",
        "PASSWORD": "p@ss",
        "HOST": "db.local",
        "PORT": "5433",
        "OPTIONS": {"sslmode": "require"},
    }


def test_a_database_address_may_name_a_socket_folder():
    database = environment.database_from_url("postgres://aitrapp@/aitrapp?host=/run/aitrapp")
    assert (database["HOST"], database["PORT"], database["USER"], database["OPTIONS"]) == (
        "/run/aitrapp",
        "",
        "aitrapp",
        {},
    )


@pytest.mark.parametrize(
    "url", ["mysql://a@b/c", "sqlite:///db.sqlite3", "postgres://host:5432", "postgres://h:x/db"]
)
def test_an_address_that_is_no_postgresql_is_refused(url):
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL"):
        environment.database_from_url(url)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://cache:6379/2", "redis://cache:6379/2"),
        ("unix:///tmp/a/valkey.sock?db=3", "redis+socket:///tmp/a/valkey.sock?virtual_host=3"),
        ("unix:///tmp/a/valkey.sock", "redis+socket:///tmp/a/valkey.sock?virtual_host=0"),
    ],
)
def test_celery_gets_its_own_spelling_of_a_redis_address(url, expected):
    assert environment.celery_broker_url(url) == expected


def test_an_address_that_is_no_redis_is_refused():
    with pytest.raises(ImproperlyConfigured, match="REDIS_URL"):
        environment.celery_broker_url("amqp://guest@localhost")


def test_a_value_that_is_not_set_or_empty_is_the_default(monkeypatch):
    monkeypatch.setenv("EMPTY", " ")
    monkeypatch.delenv("ABSENT", raising=False)
    assert environment.env_str("EMPTY", default="a") == "a"
    assert environment.env_int("ABSENT", default=7) == 7
    assert environment.env_bool("ABSENT", default=True) is True
    assert environment.env_list("ABSENT", default=["x", "y"]) == ["x", "y"]


def test_readers_understand_what_people_write(monkeypatch):
    monkeypatch.setenv("A", "Yes")
    monkeypatch.setenv("B", "off")
    monkeypatch.setenv("C", " 12 ")
    monkeypatch.setenv("D", "one, two,,three")
    assert environment.env_bool("A", default=False) is True
    assert environment.env_bool("B", default=True) is False
    assert environment.env_int("C", default=0) == 12
    assert environment.env_list("D", default=[]) == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("text", "message"),
    [("a dozen", "whole number"), ("0", "1 or more"), ("99", "10 or less")],
)
def test_a_number_that_cannot_be_right_stops_the_program_and_names_the_setting(monkeypatch, text, message):
    monkeypatch.setenv("POOL", text)
    with pytest.raises(ImproperlyConfigured, match=f"POOL.*{message}"):
        environment.env_int("POOL", default=5, minimum=1, maximum=10)


def test_a_word_outside_the_choices_is_refused_with_the_choices(monkeypatch):
    monkeypatch.setenv("PAPER", "sandbx")
    with pytest.raises(ImproperlyConfigured, match="PAPER is 'sandbx': set it to one of exchange, sandbox"):
        environment.env_choice("PAPER", default="exchange", choices=["exchange", "sandbox"])


def test_a_truth_value_that_is_neither_is_refused(monkeypatch):
    monkeypatch.setenv("DEBUG", "maybe")
    with pytest.raises(ImproperlyConfigured, match="DEBUG is 'maybe': set it to 1 or 0"):
        environment.env_bool("DEBUG", default=False)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["/srv/lib/celery/__main__.py", "-A", "x", "worker", "-n", "watcher@%h"], "aitrapp: worker watcher"),
        (["celery", "-A", "x", "worker", "-n", "strategy@%h", "-P", "threads"], "aitrapp: worker strategy"),
        (["/srv/lib/uvicorn/__main__.py", "aitrapp_site.asgi:application"], "aitrapp: uvicorn"),
        (["manage.py", "flatten", "--yes"], "aitrapp: manage.py flatten by asha"),
        (["./manage.py"], "aitrapp: manage.py by asha"),
        ([""], "aitrapp: python"),
        ([], "aitrapp: python"),
        (["celery", "-n"], "aitrapp: celery"),
    ],
)
def test_a_process_names_itself_at_the_database_by_its_command_line(monkeypatch, arguments, name):
    monkeypatch.setattr(environment.getpass, "getuser", lambda: "asha")
    assert environment.process_name(arguments) == name
