"""The official Python client, unmodified, at the running exchange: every public method."""

import pytest

from tests.conformance.surface import TABLE, public_surface

SHARED = [name for name, row in TABLE.items() if not row.ends_login]
ENDING = [name for name, row in TABLE.items() if row.ends_login]


def test_the_table_names_every_public_method_of_the_installed_client():
    assert public_surface() == set(TABLE)


@pytest.mark.parametrize("name", SHARED)
def test_the_method_is_answered_as_kite_answers_it(name, desk):
    assert TABLE[name].drive(desk) == []


@pytest.mark.parametrize("name", ENDING)
def test_a_method_that_ends_a_login_is_answered_as_kite_answers_it(name, own_desk):
    assert TABLE[name].drive(own_desk) == []
