"""A whole system that rehearses LIVE: the exchange plays PRODUCTION, a person logs in, the gate is passed."""

import json
import re
import subprocess
import sys
from datetime import datetime
from typing import Any

import psycopg
import requests

from aitrapp_site.settings import BASE_DIR
from tests.aitrapp_site.paper_process import PaperProcess, wait_for

#: what three days of burn-in on live prices leave behind; here it is written down instead of waited for
BURNT_IN = """
from datetime import date, datetime, timedelta
from decimal import Decimal
from django.conf import settings
from reporting.burnin import evidence_hash
from risk.models import BurninDay
from trading import current, keys
from trading.core.enums import Scope
from trading.core.session import IST
from trading.models import VenueSession
account = current.account_named()
for number in (3, 4, 5):
    day = date(2025, 11, number)
    at = datetime(2025, 11, number, 9, 15, tzinfo=IST)
    session = VenueSession.objects.create(account=account, key=f"burn-in {day}", market="kite", started_at=at)
    BurninDay.objects.create(
        account=account, session=session, trading_date=day, market="kite", passed=True, criteria=[], trades=3,
        gross_inr=Decimal("900.00"), charges_inr=Decimal("300.00"), net_inr=Decimal("600.00"), digest="d" * 64,
        evidence=evidence_hash(account, settings.BASE_DIR), reported_at=at + timedelta(hours=6.5),
    )
print("KEY", keys.create_key("live test", [Scope.READ, Scope.OPERATE, Scope.LIVE]))
"""


class Rehearsal(PaperProcess):
    """Its operator presses what an operator would, over HTTP."""

    def __init__(self) -> None:
        super().__init__()
        self.key = ""
        self.browser = requests.Session()

    def environ(self) -> dict[str, str]:
        return super().environ() | {"KITE_ENVIRONMENT": "rehearsal", "ACCOUNT_NAME": "rehearsal"}

    @property
    def web(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def exchange(self) -> str:
        shared: dict[str, str] = json.loads((self.var_dir / "paper.environ").read_text())
        return shared["EXCHANGE_URL"]

    def write_burn_in(self) -> None:
        """Three passed days with the evidence of this very code, and a key that may go live."""
        self.key = self.command("shell", "--no-imports", "-c", BURNT_IN).split("KEY ")[1].strip()

    def command(self, *words: str) -> str:
        """What one of the program's commands prints, typed beside it."""
        line = [sys.executable, "manage.py", *words]
        answer = subprocess.run(
            line, cwd=BASE_DIR, env=self.environ(), capture_output=True, text=True, timeout=60
        )
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    def sign_in(self) -> None:
        """At the console, as its operator."""
        page = self.browser.get(f"{self.web}/admin/login/", timeout=10)
        form = {
            "csrfmiddlewaretoken": self._hidden(page.text)["csrfmiddlewaretoken"],
            "username": "operator",
            "password": (self.var_dir / "operator.password").read_text().strip(),
            "next": "/admin/",
        }
        answer = self.browser.post(f"{self.web}/admin/login/", data=form, timeout=10)
        assert "/admin/login/" not in answer.url, answer.url

    def log_in_at_kite(self) -> None:
        """From the console to the broker's page and back."""
        page = self.browser.get(f"{self.web}/kite/login", headers={"Accept": "text/html"}, timeout=10)
        assert page.url.startswith(f"{self.exchange}/connect/login"), page.url
        answer = self.browser.post(f"{self.exchange}/connect/login", data=self._hidden(page.text), timeout=20)
        assert "Logged in as" in answer.text, answer.text[:2000]

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> requests.Response:
        """The program's own API, by the key that may go live."""
        headers = {"Authorization": f"Bearer {self.key}"}
        return requests.request(method, f"{self.web}{path}", json=body, headers=headers, timeout=20)

    def tell_exchange(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """The owner's switches of the exchange that plays Kite."""
        answer = requests.request(method, f"{self.exchange}/_exchange/{path}", json=body, timeout=10)
        assert answer.ok, answer.text
        return answer.json()

    def market_at(self) -> datetime:
        state = requests.get(f"{self.exchange}/_exchange/state", timeout=5).json()
        return datetime.fromisoformat(state["market_time"])

    def wait_until(self, wall: str, within_s: float) -> None:
        """Until the market's clock shows HH:MM."""
        hour, minute = map(int, wall.split(":"))
        wait_for(
            lambda: (now := self.market_at()).hour * 60 + now.minute >= hour * 60 + minute, within_s, wall
        )

    def off_because(self) -> dict[str, str]:
        """Reason → words of everything that keeps entries off."""
        rows = self.rows("SELECT reason, why FROM risk_entriesoff WHERE lifted_at IS NULL")
        return {str(reason): str(why) for reason, why in rows}

    def change(self, statement: str) -> None:
        with psycopg.connect(self.servers.database_url, autocommit=True) as connection:
            connection.execute(statement.encode())

    def count(self, query: str) -> int:
        return int(self.rows(f"SELECT count(*) FROM {query}")[0][0])

    @staticmethod
    def _hidden(page: str) -> dict[str, str]:
        found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page)
        assert found, page[:2000]
        return dict(found)
