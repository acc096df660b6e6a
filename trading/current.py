"""Which account and which books are meant when a caller names none."""

from django.conf import settings

from trading.models import Account, VenueSession


class NoAccount(LookupError):
    """There is no such account. The text names those there are."""


def account_named(name: str = "") -> Account:
    """The account called `name`; without one, the installation's own (`ACCOUNT_NAME`). Raises NoAccount."""
    wanted = name or settings.ACCOUNT_NAME
    account = Account.objects.filter(name=wanted).first()
    if account is None:
        known = ", ".join(Account.objects.order_by("name").values_list("name", flat=True)[:20])
        remedy = f"accounts: {known}" if known else "`make paper` makes the first one"
        raise NoAccount(f"There is no account {wanted!r}; {remedy}.")
    return account


def newest_session(account: Account) -> VenueSession | None:
    """The books an account trades on now, or traded on last; None before its first."""
    return VenueSession.objects.filter(account=account).order_by("-pk").first()
