"""The closed vocabularies of the program. Words and their FIX and Kite counterparts are in the README's glossary."""

from enum import StrEnum


class Side(StrEnum):
    """Which way an order trades. Kite: `transaction_type`."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def opposite(self) -> "Side":
        return Side.SELL if self is Side.BUY else Side.BUY

    @property
    def sign(self) -> int:
        """+1 for BUY, -1 for SELL: signed quantity = sign * quantity."""
        return 1 if self is Side.BUY else -1


class Exchange(StrEnum):
    NSE = "NSE"
    NFO = "NFO"
    BSE = "BSE"
    BFO = "BFO"


class OrderType(StrEnum):
    """Kite's order types. We send LIMIT and SL only (kite-facts 2.4); the exchange serves all four."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    SL = "SL"
    SL_M = "SL-M"


class Product(StrEnum):
    MIS = "MIS"
    NRML = "NRML"
    CNC = "CNC"


class Role(StrEnum):
    """What an order is for. Its letter opens the Kite tag, so a stop is told from an entry without the database."""

    ENTRY = "ENTRY"
    STOP = "STOP"
    TARGET = "TARGET"
    EXIT = "EXIT"

    @property
    def letter(self) -> str:
        return {"ENTRY": "E", "STOP": "S", "TARGET": "T", "EXIT": "X"}[self.value]


class OrderStatus(StrEnum):
    """Our state of an order; the moves between them are in `order_states.NEXT`."""

    SUBMITTED = "SUBMITTED"
    UNKNOWN = "UNKNOWN"
    PENDING_NEW = "PENDING_NEW"
    PENDING_MODIFY = "PENDING_MODIFY"
    PENDING_CANCEL = "PENDING_CANCEL"
    ACCEPTED = "ACCEPTED"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    DENIED = "DENIED"
    LOST = "LOST"


class CommandKind(StrEnum):
    PLACE = "PLACE"
    MODIFY = "MODIFY"
    CANCEL = "CANCEL"


class CommandOutcome(StrEnum):
    """How a call to the broker ended. PENDING: the intent is written, no answer is known yet."""

    PENDING = "PENDING"
    ACCEPTED = "ACCEPTED"
    REFUSED = "REFUSED"
    UNKNOWN = "UNKNOWN"
    EXPIRED = "EXPIRED"


class Mode(StrEnum):
    PAPER = "PAPER"
    LIVE = "LIVE"


class Scope(StrEnum):
    """What a caller from outside may do: look; pause, resume and flatten; ask for real money."""

    READ = "read"
    OPERATE = "operate"
    LIVE = "live"


class Loop(StrEnum):
    """The two loops; each has one lease per account."""

    ENTRIES = "ENTRIES"
    EXITS = "EXITS"


class PauseReason(StrEnum):
    """Why entries are off. A set; each is lifted only by the role that set it, FLATTEN only by the operator."""

    OPERATOR = "operator"
    RISK = "risk"
    FLATTEN = "flatten"
    LEASE = "lease"
    FEED = "feed"
    RECONCILIATION = "reconciliation"
    LOGIN = "login"
    SHUTDOWN = "shutdown"


class RiskReason(StrEnum):
    """Why an entry was denied. A decision keeps all that apply."""

    ENTRIES_OFF = "ENTRIES_OFF"
    MODE_NOT_ALLOWED = "MODE_NOT_ALLOWED"
    EXCLUDED = "EXCLUDED"
    SESSION_CLOSED = "SESSION_CLOSED"
    STALE_PRICE = "STALE_PRICE"
    NO_QUOTE = "NO_QUOTE"
    PRICE_BAND = "PRICE_BAND"
    BELOW_ONE_LOT = "BELOW_ONE_LOT"
    HEAT_LIMIT = "HEAT_LIMIT"
    DAILY_LOSS_REACHED = "DAILY_LOSS_REACHED"
    OPEN_POSITIONS_LIMIT = "OPEN_POSITIONS_LIMIT"
    TRADES_PER_DAY_LIMIT = "TRADES_PER_DAY_LIMIT"
    ORDER_RATE = "ORDER_RATE"
    COSTS_TOO_HIGH = "COSTS_TOO_HIGH"
    COOLDOWN = "COOLDOWN"
    LOSSES_IN_A_ROW = "LOSSES_IN_A_ROW"
    INSTRUMENT_BUSY = "INSTRUMENT_BUSY"
    MARGIN_SHORT = "MARGIN_SHORT"
    NOT_RANKED = "NOT_RANKED"
    SIGNAL_TOO_OLD = "SIGNAL_TOO_OLD"
    SPREAD_TOO_WIDE = "SPREAD_TOO_WIDE"
    EVENT_BLACKOUT = "EVENT_BLACKOUT"
    EXPIRY_DAY = "EXPIRY_DAY"
    REJECTIONS_IN_A_ROW = "REJECTIONS_IN_A_ROW"
    ORDERS_SLOW = "ORDERS_SLOW"
    NOT_AGREED = "NOT_AGREED"


class Protection(StrEnum):
    """What locks entries for a while by itself: a row each time, see `risk.locks`."""

    COOLDOWN = "COOLDOWN"
    LOSSES_IN_A_ROW = "LOSSES_IN_A_ROW"
    TRADES_PER_DAY = "TRADES_PER_DAY"
    DAILY_LOSS = "DAILY_LOSS"
    REJECTIONS_IN_A_ROW = "REJECTIONS_IN_A_ROW"
    ORDERS_SLOW = "ORDERS_SLOW"


class ApprovalAnswer(StrEnum):
    """What an operator said to an entry."""

    YES = "YES"
    NO = "NO"


class Exclusion(StrEnum):
    """Why an instrument is watched and not entered."""

    BAN_LIST = "BAN_LIST"
    TRADE_TO_TRADE = "TRADE_TO_TRADE"
    PRICE = "PRICE"
    TURNOVER = "TURNOVER"
    OPERATOR = "OPERATOR"


class ExitReason(StrEnum):
    """Why a group was closed; stored with each exit."""

    STOP = "STOP"
    TRAIL = "TRAIL"
    TARGET = "TARGET"
    TIME = "TIME"
    VOLATILITY = "VOLATILITY"
    SQUARE_OFF = "SQUARE_OFF"
    DAILY_LOSS = "DAILY_LOSS"
    OPERATOR = "OPERATOR"
    DEAD_MAN = "DEAD_MAN"
    UNPROTECTED = "UNPROTECTED"
    OTHERS = "OTHERS"


class GroupState(StrEnum):
    """OPENING: no confirmed stop yet. ARMED: confirmed. CLOSING: only goes to flat. BROKEN: an invariant failed."""

    OPENING = "OPENING"
    ARMED = "ARMED"
    CLOSING = "CLOSING"
    CLOSED = "CLOSED"
    BROKEN = "BROKEN"


class LegKind(StrEnum):
    STOP = "STOP"
    TARGET = "TARGET"


class LegState(StrEnum):
    """HELD and TAKEN are the target's: it rests here, not at the broker, until it is taken."""

    HELD = "HELD"
    RESTING = "RESTING"
    TAKEN = "TAKEN"
    FILLED = "FILLED"
    CANCELED = "CANCELED"


class FlattenState(StrEnum):
    REQUESTED = "REQUESTED"
    RUNNING = "RUNNING"
    FLAT = "FLAT"
    FLAT_BUT_WATCHING = "FLAT_BUT_WATCHING"


class MoveState(StrEnum):
    """What became of an operator's wish for a stop. EXPIRED: nobody could do it, or show it done, in time."""

    ASKED = "ASKED"
    MOVED = "MOVED"
    REFUSED = "REFUSED"
    EXPIRED = "EXPIRED"


class AuditAction(StrEnum):
    """What was done or asked for. The first three are rows, written by the database itself."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"
    CALL = "call"
    FLATTEN = "flatten"
    KITE_LOGIN = "kite login"
    LOGIN = "login"
    LOGOUT = "logout"
    MODE = "mode"
    PAUSE = "pause"
    PROBE = "probe"
    RESUME = "resume"


class AuditOutcome(StrEnum):
    """REFUSED: we said no. FAILED: it was tried and did not come out."""

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
