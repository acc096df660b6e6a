import asyncio
import json
import threading
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import Queue

import pytest
import requests
from kiteconnect import KiteConnect

from tests.trading.exchange.exchange_process import ExchangeProcess
from trading.exchange.server.postbacks import HELD, Postman


@pytest.fixture
def app():
    """An app's own address; what it was sent, and how it answers, stand on it."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            server.taken.put((self.path, self.headers["Content-Type"], json.loads(body)))
            self.send_response(server.status)
            self.end_headers()

        def log_message(self, *words):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.taken, server.status = Queue(), 200
    server.url = f"http://127.0.0.1:{server.server_port}/postback"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def update(number, status="COMPLETE"):
    return {"order_id": str(number), "status": status}


def delivered(url, updates, app, count):
    """What the app has been sent after these updates: the first `count`."""

    async def deliver():
        postman = Postman(url)
        for each in updates:
            postman.post(each)
        task = asyncio.create_task(postman.run())
        taken = [await asyncio.to_thread(app.taken.get, timeout=5) for _ in range(count)]
        task.cancel()
        return taken

    return asyncio.run(deliver())


def test_updates_arrive_in_order_as_json_and_interim_ones_do_not(app):
    updates = [
        update(1, "OPEN"),
        update(2),
        update(3, "UPDATE"),
        update(4, "CANCELLED"),
        update(5, "REJECTED"),
    ]
    taken = delivered(app.url, updates, app, 4)
    assert [body["order_id"] for _, _, body in taken] == ["2", "3", "4", "5"]
    assert {(path, kind) for path, kind, _ in taken} == {("/postback", "application/json")}
    assert app.taken.empty()


def test_an_app_that_answers_an_error_gets_the_next_update_and_not_the_same_again(app):
    app.status = 500
    taken = delivered(app.url, [update(1), update(2)], app, 2)
    assert [body["order_id"] for _, _, body in taken] == ["1", "2"]


def test_of_too_many_updates_the_oldest_are_lost(app):
    taken = delivered(app.url, [update(number) for number in range(HELD + 2)], app, 1)
    assert taken[0][2]["order_id"] == "2"


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://host/x", "http://"])
def test_what_is_no_address_is_refused(url):
    with pytest.raises(ValueError, match="no address for postbacks"):
        Postman(url)


def test_the_exchange_posts_an_order_update_with_its_checksum(app, tmp_path):
    with ExchangeProcess(tmp_path, ("--from", "10:00", "--speed", "20", "--postback", app.url)) as exchange:
        client = exchange.client()
        order_id = client.place_order(
            variety="regular",
            exchange="NSE",
            tradingsymbol="RELIANCE",
            transaction_type="BUY",
            quantity=1,
            product="MIS",
            order_type="MARKET",
            market_protection=-1,
        )
        while (body := app.taken.get(timeout=10)[2])["status"] != "COMPLETE":
            pass
    assert (body["order_id"], body["filled_quantity"], body["user_id"]) == (order_id, 1, "AB1234")
    words = f"{order_id}{body['order_timestamp']}secret"
    assert body["checksum"] == sha256(words.encode()).hexdigest()


def test_a_further_account_has_an_address_and_a_secret_of_its_own_also_after_a_kill(app, tmp_path):
    exchange = ExchangeProcess(tmp_path, ("--from", "10:00", "--postback", "http://127.0.0.1:9/nobody"))
    with exchange:
        asked = {"user_id": "CD1", "postback": app.url}
        account = requests.post(f"{exchange.first['url']}/_exchange/accounts", json=asked, timeout=5).json()
        exchange.kill()
    with exchange:
        client = KiteConnect(
            account["api_key"], access_token=account["access_token"], root=exchange.first["url"]
        )
        fields = {"exchange": "NSE", "tradingsymbol": "RELIANCE", "product": "MIS", "quantity": 1}
        side = {"variety": "regular", "transaction_type": "BUY", "order_type": "LIMIT", "price": 0.1}
        # Far below the circuit: rejected, which is told.
        order_id = client.place_order(**fields, **side)
        body = app.taken.get(timeout=10)[2]
    assert (body["order_id"], body["status"], body["user_id"]) == (order_id, "REJECTED", "CD1")
    words = f"{order_id}{body['order_timestamp']}{account['api_secret']}"
    assert body["checksum"] == sha256(words.encode()).hexdigest()


def test_an_account_with_an_unusable_address_is_not_opened(tmp_path):
    with ExchangeProcess(tmp_path, ("--from", "10:00")) as exchange:
        asked = {"user_id": "CD1", "postback": "nowhere"}
        answer = requests.post(f"{exchange.first['url']}/_exchange/accounts", json=asked, timeout=5)
        assert (answer.status_code, answer.json()["error_type"]) == (400, "InputException")
        again = requests.post(
            f"{exchange.first['url']}/_exchange/accounts", json={"user_id": "CD1"}, timeout=5
        )
        assert again.status_code == 200


def test_an_exchange_without_a_usable_address_does_not_begin(tmp_path):
    with pytest.raises(RuntimeError, match="--postback: 'nowhere' is no address"):
        ExchangeProcess(tmp_path, ("--postback", "nowhere")).start()
