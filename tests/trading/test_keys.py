import io

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client

from trading import keys
from trading.core.enums import Scope
from trading.models import ApiKey

pytestmark = pytest.mark.django_db


def test_a_key_is_found_by_its_plaintext_and_nothing_of_it_is_stored():
    plaintext = keys.create_key("script", [Scope.OPERATE, Scope.READ])
    row = ApiKey.objects.get()
    assert keys.find_key(plaintext) == row
    assert keys.scopes_of(row) == {Scope.READ, Scope.OPERATE}
    assert plaintext.startswith("aitrapp_")
    assert len(plaintext) == 8 + 43
    assert plaintext[8:] not in str(ApiKey.objects.values().get())


def test_a_key_made_again_under_a_name_ends_the_first():
    first = keys.create_key("script", [Scope.READ])
    second = keys.create_key("script", [Scope.READ])
    assert keys.find_key(first) is None
    assert keys.find_key(second) is not None
    assert ApiKey.objects.count() == 1


def test_a_key_without_a_scope_is_refused_with_the_scopes_there_are():
    with pytest.raises(ValueError, match="at least one scope of read, operate, live"):
        keys.create_key("script", [])
    with pytest.raises(CommandError, match="invalid choice: 'admin'"):
        command("script", "--scope", "admin")


def command(*words: str) -> str:
    said = io.StringIO()
    call_command("api_key", *words, stdout=said)
    return said.getvalue().strip()


def test_the_command_prints_a_key_that_works_and_may_only_read_unless_told_more():
    plain, wide = command("grafana"), command("robot", "--scope", "operate", "--scope", "read")
    reads, operates = keys.find_key(plain), keys.find_key(wide)
    assert reads is not None
    assert operates is not None
    assert keys.scopes_of(reads) == {Scope.READ}
    assert keys.scopes_of(operates) == {Scope.READ, Scope.OPERATE}


def test_the_command_ends_a_key_and_says_when_there_is_none():
    plain = command("grafana")
    assert command("grafana", "--revoke") == "The key grafana works no longer."
    assert keys.find_key(plain) is None
    with pytest.raises(CommandError, match="no working key 'grafana'") as refused:
        command("grafana", "--revoke")
    assert refused.value.returncode == 2


def test_the_console_ends_keys_and_never_shows_the_hash():
    plain = command("grafana")
    client = Client()
    client.force_login(User.objects.create_superuser("operator"))
    row = ApiKey.objects.get()
    assert row.digest not in client.get(f"/admin/trading/apikey/{row.pk}/change/").content.decode()
    client.post("/admin/trading/apikey/", {"action": "revoke", "_selected_action": [row.pk]})
    assert keys.find_key(plain) is None
