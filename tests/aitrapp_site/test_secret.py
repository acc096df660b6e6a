from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.exceptions import ImproperlyConfigured

from aitrapp_site.secret import read_or_make_secret_key


def test_the_key_is_made_once_and_only_its_user_can_read_it(tmp_path):
    path = tmp_path / "var" / "secret_key"
    key = read_or_make_secret_key(path)
    assert len(key) >= 60
    assert read_or_make_secret_key(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["secret_key"]


def test_processes_that_ask_together_get_the_same_key(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: read_or_make_secret_key(tmp_path / "secret_key"), range(16)))
    assert len(keys) == 1


def test_another_installation_has_another_key(tmp_path):
    assert read_or_make_secret_key(tmp_path / "a") != read_or_make_secret_key(tmp_path / "b")


def test_an_empty_file_is_refused_with_the_remedy(tmp_path):
    (tmp_path / "secret_key").write_text("\n")
    with pytest.raises(ImproperlyConfigured, match="Remove the file to have a new one made"):
        read_or_make_secret_key(tmp_path / "secret_key")
