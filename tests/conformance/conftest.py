"""The exchange that the suite drives: the paper exchange started for it, or the one that is pointed at.

    pytest tests/conformance --kite-root http://127.0.0.1:8010

takes the login from KITE_API_KEY, KITE_API_SECRET and KITE_ACCESS_TOKEN, and the ticker from --kite-ticker. It buys
and sells single shares there, so it is not for an account with real money.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.desk import Desk
from tests.trading.exchange.exchange_process import ExchangeProcess


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kite-root", default="", help="another exchange's REST address")
    parser.addoption("--kite-ticker", default="", help="its ticker, such as ws://127.0.0.1:8010")


def desk_of(exchange: ExchangeProcess) -> Desk:
    first = exchange.first
    return Desk(
        root=first["url"],
        ticker_root=first["ticker_url"],
        api_key=first["api_key"],
        api_secret=first["api_secret"],
        access_token=first["access_token"],
        is_ours=True,
    )


def _pointed_at(root: str, ticker: str) -> Desk:
    missing = [name for name in ("KITE_API_KEY", "KITE_ACCESS_TOKEN") if not os.environ.get(name)]
    if missing or not ticker:
        pytest.exit(f"--kite-root also needs --kite-ticker and the environment's {', '.join(missing)}")
    return Desk(
        root=root,
        ticker_root=ticker,
        api_key=os.environ["KITE_API_KEY"],
        api_secret=os.environ.get("KITE_API_SECRET", ""),
        access_token=os.environ["KITE_ACCESS_TOKEN"],
        is_ours=False,
    )


@pytest.fixture(scope="session")
def desk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    # Read this way, the options may be missing: pytest takes them only where this folder is named.
    root = request.config.getoption("--kite-root", default="")
    if root:
        yield _pointed_at(root, request.config.getoption("--kite-ticker", default=""))
        return
    with ExchangeProcess(
        tmp_path_factory.mktemp("conformance"), ("--from", "10:00", "--speed", "20")
    ) as exchange:
        yield desk_of(exchange)


@pytest.fixture
def own_desk(desk: Desk, tmp_path: Path) -> Iterator[Desk]:
    """A desk whose login may be ended."""
    if not desk.is_ours:
        pytest.skip("only a person can log in there")
    with ExchangeProcess(
        tmp_path,
        (
            "--from",
            "10:00",
        ),
    ) as exchange:
        yield desk_of(exchange)
