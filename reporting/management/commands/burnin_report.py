"""`manage.py burnin_report`: the verdict on a paper day, the newest one unless told otherwise."""

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Q, QuerySet

from reporting import burnin, queries, text
from reporting.burnin import Report
from reporting.management.commands.replay_day import BAD_USAGE, NOT_PASSED, iso_date
from reporting.management.schema import bring_up_to_date
from risk.models import BurninDay
from trading.core.enums import Mode
from trading.core.session import IST
from trading.models import Account, VenueSession


class Command(BaseCommand):
    help = (
        "Report a paper day. Exit code 0: every criterion true and no problem; "
        "3: a named criterion false or a problem found; 2: there is no such day."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--date", type=iso_date, help="trading date, YYYY-MM-DD")
        parser.add_argument("--session", help="key of the venue session, as the report shows it")
        parser.add_argument("--account", help="name of the account; all paper accounts without it")
        parser.add_argument("--json", action="store_true", help="for machines; pnl_inr is after charges")

    def handle(self, *args: Any, **options: Any) -> None:
        bring_up_to_date()
        judged = _report(_session(options))
        if options["json"]:
            self.stdout.write(json.dumps(burnin.as_json(judged), ensure_ascii=False, indent=1))
        else:
            self.stdout.write(text.day_text(judged))
        if not judged.passed:
            sys.exit(NOT_PASSED)


def _session(options: dict[str, Any]) -> VenueSession:
    """The newest session that fits. Raises CommandError saying what there is."""
    every = _paper_sessions(options["account"])
    found = every
    if options["session"]:
        found = found.filter(key=options["session"])
    if options["date"]:
        found = found.filter(
            Q(burninday__trading_date=options["date"])
            | Q(burninday__isnull=True, started_at__date=options["date"])
        )
    session = found.first()
    if session is not None:
        return session
    newest = every.first()
    if newest is None:
        raise CommandError(
            "There is no paper session yet: run `make paper`, or replay a day with `manage.py replay_day`.",
            returncode=BAD_USAGE,
        )
    asked = " and ".join(str(options[name]) for name in ("session", "date") if options[name])
    raise CommandError(
        f"There is no paper session for {asked}; the newest is {newest.key} of account {newest.account}.",
        returncode=BAD_USAGE,
    )


def _paper_sessions(name: str | None) -> QuerySet[VenueSession]:
    accounts = Account.objects.filter(mode=Mode.PAPER)
    if name is not None:
        accounts = accounts.filter(name=name)
        if not accounts.exists():
            known = ", ".join(Account.objects.values_list("name", flat=True).order_by("name")) or "none yet"
            raise CommandError(
                f"There is no paper account {name!r}; accounts: {known}.", returncode=BAD_USAGE
            )
    return VenueSession.objects.filter(account__in=accounts).exclude(key="").order_by("-pk")


def _report(session: VenueSession) -> Report:
    """The stored verdict, else one from our rows alone."""
    row = BurninDay.objects.filter(session=session).select_related("session", "account").first()
    if row is not None:
        return burnin.stored(row)
    trading_date = session.started_at.astimezone(IST).date()
    now = queries.last_moment(session)
    return burnin.report(session.account, session, trading_date, None, now=now)
