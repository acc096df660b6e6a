"""The console pages of the exits."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from oco.models import Flatten
from tests.console_rows import build_chain, build_day

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("operator"))
    return client


def test_a_group_shows_its_legs(operator):
    leg = build_chain().group.legs.get()
    page = operator.get(reverse("admin:oco_ocogroup_change", args=[leg.group_id])).content.decode()
    assert leg.client_order_id in page
    assert "₹24,450.00" in page


def test_a_group_is_found_by_the_id_of_its_entry(operator):
    build_chain(1)
    wanted = build_chain(2)
    found = operator.get(reverse("admin:oco_ocogroup_changelist"), {"q": wanted.entry.client_order_id})
    assert [group.pk for group in found.context["cl"].result_list] == [wanted.group.pk]


@pytest.mark.parametrize(
    ("symbols", "shown"),
    [([], "everything of ours"), (["NIFTY26NOVFUT", "SBIN"], "NIFTY26NOVFUT<br>SBIN")],
)
def test_a_flatten_says_what_it_covered(symbols, shown, operator):
    build_day()
    Flatten.objects.update(tradingsymbols=symbols)
    assert shown in operator.get(reverse("admin:oco_flatten_changelist")).content.decode()
