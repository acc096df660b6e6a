"""One account at the exchange: its orders, its money, its triggers, its rate limits. Accounts share the market only."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from trading.core.money import to_paise
from trading.core.ticks import TickFrame
from trading.exchange.gtt import GTT_VERBS, GttBook
from trading.exchange.intake import is_asked
from trading.exchange.rules import bad_input, changed
from trading.exchange.venue import Venue

PLACE, MODIFY, CANCEL = "place", "modify", "cancel"
CONVERT, SET_RULE = "convert", "set-rule"
MOST_ACCOUNTS: Final = 500
CAPITAL_INR_MOST: Final = Decimal(10_000_000_000)


class Account:
    """What one user has and does on one trading day."""

    def __init__(self, venue: Venue, now: datetime, triggers: Iterable[Mapping[str, Any]] = ()) -> None:
        """`triggers` are those of the day before, as `GttBook.events` has them."""
        self.venue = venue
        self.gtts = GttBook(specs=venue.specs, user_id=venue.user_id)
        self.gtts.restore(triggers, now)

    def judge_triggers(self, frame: TickFrame, now: datetime) -> None:
        """Fire what these prices meet."""

        def place(fields: Mapping[str, Any]) -> str:
            return self.venue.place_as_other(fields, now, self.venue.user_id)

        self.gtts.judge(frame, place)

    def write(self, verb: str, order_id: str, fields: Mapping[str, Any], now: datetime) -> str:
        """The order id, or what else answers the verb; an order that is to be sliced answers Kite's `data` of it
        as JSON. Raises VenueRefusal.
        """
        if verb in GTT_VERBS:
            return self.gtts.write(verb, order_id, fields, now)
        if verb == PLACE:
            if is_asked(fields, "autoslice"):
                return json.dumps(self.venue.place_slices(fields, now))
            return self.venue.place(fields, now)
        if verb == SET_RULE:
            self.venue.use_rules(changed(self.venue.rules, fields), now)
            return "set"
        if verb == CONVERT:
            self.venue.convert(fields, now)
            return "converted"
        variety = str(fields.get("variety", ""))
        if verb == MODIFY:
            return self.venue.modify(order_id, fields, now, variety=variety)
        return self.venue.cancel(order_id, now, variety=variety)


def read_account(fields: Mapping[str, Any], taken: Mapping[str, Account]) -> tuple[str, int]:
    """User id and capital (paise) of an account to be opened. Raises VenueRefusal."""
    user_id = fields.get("user_id")
    if not isinstance(user_id, str) or not user_id.isalnum() or not user_id.isascii() or len(user_id) > 20:
        raise bad_input("Invalid `user_id`. Give up to 20 letters and digits, such as AB1234.")
    if user_id in taken:
        raise bad_input(f"Invalid `user_id`. There is an account {user_id} already.")
    if len(taken) >= MOST_ACCOUNTS:
        raise bad_input(f"At most {MOST_ACCOUNTS} accounts can be open.")
    try:
        capital_inr = Decimal(str(fields.get("capital_inr", 2_500_000)))
        capital_paise = to_paise(capital_inr)
    except (InvalidOperation, ValueError):
        capital_inr, capital_paise = Decimal(0), 0
    if not 0 < capital_inr <= CAPITAL_INR_MOST:
        raise bad_input(f"Invalid `capital_inr`. Give rupees above 0, at most {CAPITAL_INR_MOST}.")
    return user_id, capital_paise
