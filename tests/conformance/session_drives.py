"""The client's session, user and mutual fund methods, driven. Each answers what was not as Kite's."""

import re

import requests

from tests.conformance.desk import Desk

Problems = list[str]


def request_token(desk: Desk) -> str:
    """What a person's browser brings back: the login page, its button, the redirect or the page after it."""
    page = requests.get(
        f"{desk.root}/connect/login",
        {"api_key": desk.api_key, "v": "3"},
        headers={"Accept": "text/html"},
        timeout=5,
    )
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page.text))
    after = requests.post(f"{desk.root}/connect/login", fields, timeout=5)
    tokens: list[str] = re.findall(r"<code>(\w{32})</code>", after.text)
    return tokens[0]


def login_url(desk: Desk) -> Problems:
    return [] if f"api_key={desk.api_key}&v=3" in desk.kite.login_url() else [desk.kite.login_url()]


def set_access_token(desk: Desk) -> Problems:
    desk.kite.set_access_token("nobody")
    dead = desk.refusal("profile")
    desk.kite.set_access_token(desk.access_token)
    alive = desk.refusal("profile")
    return [] if (dead[:2], alive[1]) == (("TokenException", 403), 200) else [f"{dead} {alive}"]


def set_session_expiry_hook(desk: Desk) -> Problems:
    told: list[str] = []
    desk.kite.set_session_expiry_hook(lambda: told.append("expired"))
    desk.kite.set_access_token("nobody")
    desk.refusal("orders")
    return [] if told == ["expired"] else ["the hook was not called"]


def generate_session(desk: Desk) -> Problems:
    token = request_token(desk)
    wrong = desk.refusal("generate_session", token, "guess")
    session = desk.ask("generate_session", token, api_secret=desk.api_secret)
    found = desk.like("generate_session")
    again = desk.refusal("generate_session", token, desk.api_secret)
    if desk.kite.access_token != session["access_token"] or not hasattr(session["login_time"], "year"):
        found.append(f"the client did not take {session}")
    if wrong[:2] != ("TokenException", 403) or "checksum" not in wrong[2]:
        found.append(f"a wrong secret was answered {wrong}")
    if again[:2] != ("TokenException", 403):
        found.append(f"a used request token was answered {again}")
    desk.kite.set_access_token(desk.access_token)
    if desk.refusal("profile")[1] != 403:
        found.append("the token of the login before still works")
    return found


def invalidate_access_token(desk: Desk) -> Problems:
    desk.ask("invalidate_access_token")
    found = desk.like("session_logout")
    after = desk.refusal("profile")
    return found if after[:2] == ("TokenException", 403) else [*found, f"after it: {after}"]


def invalidate_refresh_token(desk: Desk) -> Problems:
    return refused(desk, "TokenException", 403, "invalidate_refresh_token", "word")


def renew_access_token(desk: Desk) -> Problems:
    return refused(desk, "TokenException", 403, "renew_access_token", "word", desk.api_secret)


def profile(desk: Desk) -> Problems:
    desk.ask("profile")
    found = desk.like("profile")
    header = {"Authorization": f"token {desk.api_key}:{desk.access_token}"}
    desk.kite.reqsession.get(f"{desk.root}/user/profile/full", headers=header, timeout=5)
    return found + desk.like("full_profile")


def margins(desk: Desk) -> Problems:
    desk.ask("margins")
    found = desk.like("margins")
    for segment in ("equity", "commodity"):
        desk.ask("margins", segment)
        found += desk.like("margins_equity")
    return found


def refused(desk: Desk, kind: str, status: int, method: str, *args: object, **kwargs: object) -> Problems:
    """What the documented refusal of a method is not."""
    said = desk.refusal(method, *args, **kwargs)
    return [] if said[:2] == (kind, status) and said[2] else [f"{method} was answered {said}"]


def mf_orders(desk: Desk) -> Problems:
    empty = desk.ask("mf_orders")
    return ([] if empty == [] else [f"{empty}"]) + refused(desk, "InputException", 400, "mf_orders", "1")


def mf_sips(desk: Desk) -> Problems:
    empty = desk.ask("mf_sips")
    return ([] if empty == [] else [f"{empty}"]) + refused(desk, "InputException", 400, "mf_sips", "1")


def mf_holdings(desk: Desk) -> Problems:
    empty = desk.ask("mf_holdings")
    return [] if empty == [] else [f"{empty}"]


def mf_instruments(desk: Desk) -> Problems:
    empty = desk.ask("mf_instruments")
    return [] if empty == [] else [f"{empty}"]


def place_mf_order(desk: Desk) -> Problems:
    return refused(desk, "InputException", 400, "place_mf_order", "INF174K01LS2", "BUY", amount=1000)


def cancel_mf_order(desk: Desk) -> Problems:
    return refused(desk, "InputException", 400, "cancel_mf_order", "1")


def place_mf_sip(desk: Desk) -> Problems:
    return refused(desk, "InputException", 400, "place_mf_sip", "INF174K01LS2", 1000, 12, "monthly")


def modify_mf_sip(desk: Desk) -> Problems:
    return refused(desk, "InputException", 400, "modify_mf_sip", "1", amount=2000)


def cancel_mf_sip(desk: Desk) -> Problems:
    return refused(desk, "InputException", 400, "cancel_mf_sip", "1")
