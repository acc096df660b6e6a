"""What an account watches and does not enter: by file, in the console, and at the next decision."""

from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from aitrapp_site import wiring
from tests.days.desk import Day
from tests.days.market import NIFTY
from trading import universe
from trading.core.enums import Role
from trading.models import Account, UniverseRow

pytestmark = pytest.mark.django_db

FILE = "name,exclusion,why\nNIFTY,,\nreliance,BAN_LIST,on the list since 21 Nov\nM&M,TRADE_TO_TRADE,\n"


@pytest.fixture
def account():
    return Account.objects.create(name="paper", broker_user="AB1234")


def test_without_rows_the_settings_say_what_is_watched(account, settings):
    settings.INSTRUMENTS = ["NIFTY"]
    assert wiring.watched_names(account.pk) == {"NIFTY"}
    UniverseRow.objects.create(account=account, name="INFY")
    UniverseRow.objects.create(account=account, name="TCS", is_watched=False)
    assert wiring.watched_names(account.pk) == {"INFY"}


def test_a_file_takes_the_place_of_the_rows_and_comes_out_as_it_went_in(account, tmp_path, capsys):
    UniverseRow.objects.create(account=account, name="TCS")
    path = tmp_path / "universe.csv"
    path.write_text(FILE)
    told = StringIO()
    call_command("universe", file=path, stdout=told)
    assert told.getvalue().strip() == "paper watches 3 names."
    call_command("universe")
    lines = capsys.readouterr().out.replace("\r", "").splitlines()
    assert lines == [
        "name,exclusion,why",
        "M&M,TRADE_TO_TRADE,",
        "NIFTY,,",
        "RELIANCE,BAN_LIST,on the list since 21 Nov",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("symbol\nNIFTY\n", "line 1: write name,exclusion,why, not symbol"),
        ("name,exclusion,why\nNIFTY,BANNED,\n", "line 2: BANNED is no exclusion: write one of BAN_LIST"),
        ("name,exclusion,why\nNIFTY,,dear\n", "line 2: NIFTY has a reason and no exclusion"),
        ("name,exclusion,why\nNIFTY,,\nnifty,,\n", "line 3: NIFTY stands here twice"),
        ("name,exclusion,why\n;,,\n", "line 2: ';' is no name"),
        ("name,exclusion,why\n", "no name at all"),
    ],
)
def test_a_file_with_a_mistake_changes_nothing_and_names_its_lines(account, tmp_path, text, said):
    UniverseRow.objects.create(account=account, name="TCS")
    path = tmp_path / "universe.csv"
    path.write_text(text)
    with pytest.raises(CommandError, match=said.replace("?", ".")):
        call_command("universe", file=path)
    assert [row.name for row in account.universe.all()] == ["TCS"]


def test_the_database_takes_no_reason_without_an_exclusion(account):
    with pytest.raises(IntegrityError), transaction.atomic():
        UniverseRow.objects.create(account=account, name="TCS", why="dear")


def test_an_exclusion_counts_for_the_next_decision_and_is_lifted_by_taking_it_away():
    day = Day.opens(NIFTY)
    row = UniverseRow.objects.create(
        account=day.account, name="NIFTY", exclusion="PRICE", why="above ₹20,000"
    )
    decision = day.enters()
    assert decision.reasons == [
        {
            "reason": "EXCLUDED",
            "text": f"NFO:{NIFTY.tradingsymbol} is watched and not entered: PRICE, above ₹20,000.",
        }
    ]
    assert day.broker_orders(Role.ENTRY) == []
    row.exclusion = row.why = ""
    row.save()
    day.run_for(60)
    assert day.enters().reasons == []
    assert len(day.broker_orders(Role.ENTRY)) == 1


def test_the_console_writes_down_who_changed_it(account, client):
    client.force_login(User.objects.create_superuser("asha"))
    address = "/admin/trading/universerow/add/"
    form = {"account": account.pk, "name": "infy", "is_watched": "on", "exclusion": "TURNOVER", "why": "thin"}
    refused = client.post(address, form | {"exclusion": ""})
    assert "A reason needs an exclusion" in refused.content.decode()
    assert client.post(address, form).status_code == 302
    (row,) = account.universe.all()
    assert (row.name, row.exclusion, row.changed_by) == ("INFY", "TURNOVER", "asha")
    assert universe.names_of(account.pk) == {"INFY"}
