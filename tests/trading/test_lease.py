"""One leads, the fence only grows, and what ran out is taken by another."""

import pytest

from trading import lease
from trading.core.enums import Loop
from trading.models import Account, Lease

pytestmark = pytest.mark.django_db


@pytest.fixture
def account() -> Account:
    return Account.objects.create(name="desk", broker_user="AB1234")


def test_a_lease_that_is_held_is_not_given_to_another(account):
    first = lease.take(account.pk, Loop.ENTRIES, "one")
    assert first is not None
    assert lease.take(account.pk, Loop.ENTRIES, "two") is None
    assert lease.is_current(first)
    assert lease.leaders() == {(account.pk, "ENTRIES"): "one"}


def test_each_loop_of_an_account_has_its_own(account):
    assert lease.take(account.pk, Loop.ENTRIES, "one") is not None
    assert lease.take(account.pk, Loop.EXITS, "two") is not None


def test_each_taking_has_a_higher_fence_and_ends_the_one_before(account):
    first = lease.take(account.pk, Loop.EXITS, "one")
    again = lease.take(account.pk, Loop.EXITS, "one")
    assert first is not None
    assert again is not None
    assert again.fence == first.fence + 1
    assert (lease.is_current(first), lease.is_current(again)) == (False, True)
    assert not lease.renew(first)


def test_what_ran_out_is_taken_by_another_and_cannot_be_renewed(account):
    lapsed = lease.take(account.pk, Loop.EXITS, "one", ttl_s=-1)
    assert lapsed is not None
    assert not lease.is_current(lapsed)
    assert not lease.renew(lapsed)
    assert lease.leaders() == {}
    successor = lease.take(account.pk, Loop.EXITS, "two")
    assert successor is not None
    assert successor.fence > lapsed.fence


def test_a_renewal_goes_on_and_notes_only_a_pass_that_worked(account):
    held = lease.take(account.pk, Loop.EXITS, "one")
    assert held is not None
    assert lease.renew(held)
    assert Lease.objects.get().pass_at is None
    assert lease.renew(held, pass_worked=True)
    assert Lease.objects.get().pass_at is not None


def test_a_lease_given_back_is_free_at_once_and_its_fence_stays(account):
    held = lease.take(account.pk, Loop.EXITS, "one")
    assert held is not None
    lease.release(held)
    assert not lease.is_current(held)
    successor = lease.take(account.pk, Loop.EXITS, "two")
    assert successor is not None
    assert successor.fence == held.fence + 1


def test_giving_back_a_lost_lease_does_not_take_it_from_its_holder(account):
    lost = lease.take(account.pk, Loop.EXITS, "one", ttl_s=-1)
    holder = lease.take(account.pk, Loop.EXITS, "two")
    assert lost is not None
    assert holder is not None
    lease.release(lost)
    assert lease.is_current(holder)


def test_the_leases_of_a_dead_process_are_free_at_once_and_no_others(account):
    dead = lease.take(account.pk, Loop.EXITS, f"exits {lease.process_name(4711)}")
    alive = lease.take(account.pk, Loop.ENTRIES, f"entries {lease.process_name(14711)}")
    assert dead is not None
    assert alive is not None
    assert lease.release_of_dead(4711) == 1
    assert (lease.is_current(dead), lease.is_current(alive)) == (False, True)
    assert not lease.renew(dead)
    successor = lease.take(account.pk, Loop.EXITS, "exits elsewhere:1")
    assert successor is not None
    assert successor.fence == dead.fence + 1
    assert lease.release_of_dead(4711) == 0
    assert lease.is_current(successor)


def test_who_cannot_have_it_is_told_who_has(account):
    lease.take(account.pk, Loop.ENTRIES, "host-1:4711")
    with pytest.raises(lease.HeldByAnother, match="led by host-1:4711: stop it first"):
        lease.take_or_fail(account.pk, Loop.ENTRIES, "host-2:11")
