"""The official Python client's whole public surface: what each method is for, and the drive that proves it."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from kiteconnect import KiteConnect, KiteTicker

from tests.conformance import market_drives, order_drives, session_drives, ticker_drives
from tests.conformance.desk import Desk

PASS: Final = "pass"
REFUSED: Final = "not served: a documented error"
NOTHING: Final = "not served: nothing there"


@dataclass(frozen=True, slots=True)
class Row:
    """One method. `ends_login`: its drive needs a login of its own."""

    group: str
    drive: Callable[[Desk], list[str]]
    verdict: str = PASS
    ends_login: bool = False


def _rows(
    group: str, module: Any, names: str, verdict: str = PASS, *, ends_login: bool = False
) -> dict[str, Row]:
    return {
        f"KiteConnect.{name}": Row(group, getattr(module, name), verdict, ends_login)
        for name in names.split()
    }


def _ticker(names: str) -> dict[str, Row]:
    return {
        f"KiteTicker.{name}": Row("ticker", getattr(ticker_drives, name, None) or ticker_drives.did(name))
        for name in names.split()
    }


TABLE: Final = {
    **_rows("session", session_drives, "login_url"),
    **_rows(
        "session",
        session_drives,
        "generate_session invalidate_access_token set_access_token set_session_expiry_hook",
        ends_login=True,
    ),
    **_rows("session", session_drives, "renew_access_token invalidate_refresh_token", REFUSED),
    **_rows("user", session_drives, "profile margins"),
    **_rows(
        "order",
        order_drives,
        "place_order place_autoslice_order modify_order cancel_order exit_order orders order_history trades "
        "order_trades",
    ),
    **_rows("portfolio", market_drives, "positions holdings convert_position"),
    **_rows("portfolio", market_drives, "get_auction_instruments", NOTHING),
    **_rows("market", market_drives, "instruments quote ohlc ltp historical_data trigger_range"),
    **_rows("gtt", order_drives, "place_gtt get_gtt get_gtts modify_gtt delete_gtt"),
    **_rows("margin", market_drives, "order_margins basket_order_margins get_virtual_contract_note"),
    **_rows("mutual funds", session_drives, "mf_orders mf_sips mf_holdings mf_instruments", NOTHING),
    **_rows(
        "mutual funds",
        session_drives,
        "place_mf_order cancel_mf_order place_mf_sip modify_mf_sip cancel_mf_sip",
        REFUSED,
    ),
    **_ticker("connect is_connected subscribe set_mode resubscribe unsubscribe close stop_retry stop"),
    **_ticker(
        "on_connect on_open on_ticks on_message on_order_update on_error on_close on_reconnect on_noreconnect"
    ),
}


def public_surface() -> set[str]:
    """Every public method of both classes, and the ticker's callbacks, as the installed client has them."""
    methods = {
        f"{kind.__name__}.{name}"
        for kind in (KiteConnect, KiteTicker)
        for name, _ in inspect.getmembers(kind, callable)
        if not name.startswith("_")
    }
    callbacks = {name for name in vars(KiteTicker("key", "token")) if name.startswith("on_")}
    return methods | {f"KiteTicker.{name}" for name in callbacks}
