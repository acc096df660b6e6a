"""The console pages of trading: what links to what, and what an operator may type."""

from datetime import date
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from tests.console_rows import MORNING, build_chain, build_day, build_open
from trading.models import Account, Approval, Decision, Signal, StrategySetting

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("operator"))
    return client


def html(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def address(row) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def listing(row) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_changelist")


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ("signal", "decision"),
        ("decision", "signal"),
        ("decision", "entry"),
        ("decision", "trade"),
        ("entry", "decision"),
        ("entry", "stop"),
        ("entry", "trade"),
        ("entry", "group"),
        ("stop", "entry"),
        ("stop", "trade"),
        ("stop", "group"),
        ("trade", "decision"),
        ("trade", "entry"),
        ("trade", "stop"),
        ("trade", "group"),
        ("group", "trade"),
        ("group", "entry"),
        ("group", "stop"),
    ],
)
def test_each_page_of_the_chain_links_to_its_neighbours(here, there, operator):
    build_chain(1)
    chain = build_chain(2)
    assert f'href="{address(getattr(chain, there))}"' in html(operator, address(getattr(chain, here)))


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ("signal", "decision"),
        ("decision", "signal"),
        ("decision", "entry"),
        ("entry", "decision"),
        ("stop", "entry"),
        ("trade", "decision"),
        ("trade", "group"),
        ("group", "trade"),
        ("group", "stop"),
    ],
)
def test_lists_of_the_chain_link_too(here, there, operator):
    chain = build_chain()
    assert f'href="{address(getattr(chain, there))}"' in html(operator, listing(getattr(chain, here)))


def test_an_order_shows_its_events_commands_and_fills(operator):
    entry = build_chain().entry
    page = html(operator, address(entry))
    assert "in the book" in page
    assert "12.50" in page
    assert "TE1" in page
    assert f'href="{address(entry.events.get())}"' in page


@pytest.mark.parametrize("name", ["events", "commands", "fills"])
def test_what_an_order_left_behind_is_linked_both_ways_and_a_fill_leads_to_its_trade(name, operator):
    chain = build_chain()
    row = getattr(chain.entry, name).get()
    assert f'href="{address(row)}"' in html(operator, address(chain.entry))
    for page in (html(operator, address(row)), html(operator, listing(row))):
        assert f'href="{address(chain.entry)}"' in page
        assert (f'href="{address(chain.trade)}"' in page) == (name == "fills")


def test_a_stop_that_rests_is_linked_from_its_trade_and_an_approval_from_its_signal(operator):
    chain = build_open()
    assert f'href="{address(chain.stop)}"' in html(operator, address(chain.trade))
    approval = Approval.objects.create(
        account=chain.account, session=chain.session, signal=chain.signal, quantity=75, limit_price=Decimal(24500),
        risk_inr=Decimal(3750), asked_at=MORNING, until=MORNING,
    )  # fmt: skip
    assert f'href="{address(approval)}"' in html(operator, address(chain.signal))
    assert f'href="{address(chain.signal)}"' in html(operator, address(approval))


@pytest.mark.parametrize(
    "words", ["nifty26", "NIFTY26NOV", "E00000000000000000000002", "E0000000000000000002", "E2"]
)
def test_an_order_is_found_by_how_its_symbol_its_tag_or_its_ids_begin(words, operator):
    build_chain(1)
    chain = build_chain(2)
    type(chain.stop).objects.exclude(pk=chain.entry.pk).update(tradingsymbol="TCS")
    found = operator.get(listing(chain.entry), {"q": words}).context["cl"].result_list
    assert [row.pk for row in found] == [chain.entry.pk]
    event = chain.entry.events.get()
    found = operator.get(listing(event), {"q": words}).context["cl"].result_list
    assert [row.pk for row in found] == [event.pk]


def test_the_dates_to_choose_from_are_those_between_the_first_row_and_the_last(operator):
    first, last = build_chain(1).signal, build_chain(2).signal
    Signal.objects.filter(pk=first.pk).update(trading_date=date(2026, 10, 29))
    months = operator.get(listing(last), {"trading_date__year": 2026}).content.decode()
    assert [name in months for name in ("September 2026", "October 2026", "November 2026", "December 2026")] == [
        False, True, True, False,
    ]  # fmt: skip
    whole = operator.get(listing(last)).content.decode()
    assert "October 2026" in whole
    days = operator.get(listing(last), {"trading_date__year": 2026, "trading_date__month": 11})
    assert days.context["cl"].result_count == 1
    assert "23 November" in days.content.decode()


def test_a_trade_shows_its_fills(operator):
    page = html(operator, address(build_chain().trade))
    assert "TE1" in page
    assert "TS1" in page


def test_an_exit_of_the_second_group_does_not_link_to_the_first(operator):
    chain = build_chain()
    chain.stop.group_number = 2
    chain.stop.save()
    assert address(chain.group) not in html(operator, address(chain.stop))
    assert address(chain.stop) not in html(operator, address(chain.group))


def test_a_refused_decision_gives_every_reason_in_words(operator):
    decision = build_chain().decision
    Decision.objects.filter(pk=decision.pk).update(
        reasons=[
            {"reason": "HEAT_LIMIT", "text": "heat would be ₹52,300.00 of ₹50,000.00"},
            {"reason": "COOLDOWN", "text": "a loss 3 min ago, cooldown 5 min"},
        ]
    )
    for page in (html(operator, listing(decision)), html(operator, address(decision))):
        assert "heat would be ₹52,300.00 of ₹50,000.00<br>a loss 3 min ago, cooldown 5 min" in page


def test_text_from_outside_is_escaped(operator):
    chain = build_chain()
    Signal.objects.filter(pk=chain.signal.pk).update(tradingsymbol="<script>alert(1)</script>")
    Decision.objects.filter(pk=chain.decision.pk).update(reasons=[{"text": "<img src=x>"}])
    for address_ in (listing(chain.signal), address(chain.decision), listing(chain.decision)):
        page = html(operator, address_)
        assert "<script>alert(1)" not in page
        assert "<img src=x>" not in page


def test_a_decision_links_to_the_limits_it_was_taken_under(operator):
    chain = build_day()
    page = html(operator, address(chain.decision))
    query = f"?version=1&amp;account__id__exact={chain.account.pk}"
    assert f'href="/admin/risk/risklimits/{query}"' in page
    assert "1 result" in html(operator, f"/admin/risk/risklimits/{query}".replace("&amp;", "&"))


def test_a_signal_without_a_decision_shows_a_dash(operator):
    signal = build_chain().signal
    signal.pk = None
    signal.strategy = "TrendPullback"
    signal.save()
    shown = operator.get(listing(signal)).content.decode()
    assert shown.count('href="/admin/trading/decision/') == 2  # the other signal's, and the sidebar's
    assert html(operator, address(signal)).count('href="/admin/trading/decision/') == 1


def test_the_operator_changes_name_and_paper_capital_of_an_account(operator):
    account = build_chain().account
    operator.post(address(account), {"name": "desk", "paper_capital_inr": "3000000.00"})
    account.refresh_from_db()
    assert (account.name, account.paper_capital_inr) == ("desk", Decimal("3000000.00"))


def test_the_mode_of_an_account_is_not_written_by_the_console(operator):
    account = build_chain().account
    form = {"name": "desk", "paper_capital_inr": "3000000.00", "mode": "LIVE", "product": "NRML"}
    form |= {"live_since": "2026-11-23", "broker_user": "ZZ9999"}
    operator.post(address(account), form)
    saved = Account.objects.get(pk=account.pk)
    assert (saved.name, saved.mode, saved.product) == ("desk", "PAPER", "MIS")
    assert (saved.live_since, saved.broker_user) == (None, "AB0001")


@pytest.mark.parametrize("capital", ["0", "-2500000"])
def test_paper_capital_that_is_not_positive_is_refused_in_words(capital, operator):
    account = build_chain().account
    answer = operator.post(address(account), {"name": "desk", "paper_capital_inr": capital})
    assert "write 2500000 for ₹25,00,000.00" in answer.content.decode()
    account.refresh_from_db()
    assert account.paper_capital_inr == Decimal("2500000.00")


def test_a_strategy_is_switched_off_and_nothing_else_of_it_changes(operator):
    build_day()
    setting = StrategySetting.objects.get()
    operator.post(address(setting), {"strategy": "other", "off_why": "because"})
    saved = StrategySetting.objects.get()
    assert (saved.enabled, saved.strategy, saved.off_why) == (False, "ORB", "")
