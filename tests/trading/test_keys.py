import pytest

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
    with pytest.raises(ValueError, match="admin"):
        keys.create_key("script", ["admin"])
