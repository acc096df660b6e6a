"""The official client with a request of our own that keeps error type, status and how far a call came."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import HTTPError, MaxRetryError, NewConnectionError

from trading.broker.base import BrokerError
from trading.broker.kite.environment import KiteEnvironment
from trading.broker.kite.errors import KiteFailure, Stage
from trading.broker.kite.official import KiteConnect
from trading.broker.kite.recorder import Recorder

CONNECT_TIMEOUT_S = 2.0
#: the client's own default; staff: an order may go in while you wait
READ_TIMEOUT_S = 7.0
SESSION_HEADER = "X-Venue-Session"
WRITE_ROUTES = frozenset({"order.place", "order.modify", "order.cancel"})
#: kept in a recording: what orders were sent, and what the books said
RECORDED_ROUTES = WRITE_ROUTES | {"orders", "order.info", "order.trades", "trades", "portfolio.positions"}
UNPREFIXED_ROUTES = frozenset({"market.instruments", "market.instruments.all"})

_NEVER_BUILT = (
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidHeader,
)


class _StagedConnection(HTTPSConnection):
    """Says of every failure before the first byte, TLS included, that there was no connection."""

    def connect(self) -> None:
        try:
            super().connect()
        except (OSError, HTTPError) as error:
            self.close()
            raise NewConnectionError(self, f"{type(error).__name__}: {error}") from error


class _StagedPool(HTTPSConnectionPool):
    ConnectionCls = _StagedConnection


class _StagedAdapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": HTTPConnectionPool, "https": _StagedPool}


class KiteConnection(KiteConnect):  # type: ignore[misc]  # the client has no types
    """Never retries, follows no redirect, and drops its sockets after any failed exchange.

    `access_token` may be empty before login. Every call raises KiteFailure when it fails.
    """

    def __init__(
        self,
        environment: KiteEnvironment,
        *,
        api_key: str,
        access_token: str = "",
        timeouts_s: tuple[float, float] = (CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
    ) -> None:
        super().__init__(
            api_key, access_token or None, root=environment.root_url.rstrip("/"), timeout=timeouts_s
        )
        self._routes = {
            route: path if route in UNPREFIXED_ROUTES else environment.route_prefix + path
            for route, path in KiteConnect._routes.items()
        }
        #: what the last answer said; empty where the venue names none
        self.venue_session = ""
        #: told every order call and its answer, where there is one
        self.recorder: Recorder | None = None
        # A proxy or a .netrc of the host would change the address we call from, or the Authorization header.
        self.reqsession.trust_env = False
        for scheme in ("https://", "http://"):
            self.reqsession.mount(scheme, _StagedAdapter())

    def _request(
        self,
        route: str,
        method: str,
        url_args: Mapping[str, Any] | None = None,
        params: Any = None,
        is_json: bool = False,
        query_params: Any = None,
    ) -> Any:
        has_body = method in ("POST", "PUT")
        fields = {**(url_args or {}), **(params if isinstance(params, dict) else {})}
        try:
            response = self._exchange(
                method,
                self._routes[route].format(**(url_args or {})),
                json=params if has_body and is_json else None,
                data=params if has_body and not is_json else None,
                params=query_params if has_body else params,
            )
        except KiteFailure as failure:
            self._record(route, fields, failure)
            raise
        self._record(route, fields, response)
        data = _data(response, f"{method} {route}")
        if route in WRITE_ROUTES and not (isinstance(data, dict) and data.get("order_id")):
            raise KiteFailure(
                f"{method} {route}: the answer names no order_id",
                stage=Stage.UNANSWERED,
                http_status=response.status_code,
            )
        return data

    def _record(self, route: str, fields: Mapping[str, Any], came: requests.Response | KiteFailure) -> None:
        if self.recorder is None or route not in RECORDED_ROUTES:
            return
        if isinstance(came, KiteFailure):
            self.recorder.call(route, fields, 0, str(came))
        else:
            self.recorder.call(route, fields, came.status_code, came.text)

    def json_at(self, path: str) -> Any:
        """A JSON answer outside Kite's routes, whole."""
        response = self._exchange("GET", path)
        try:
            body = response.json()
        except ValueError:
            body = None
        if response.status_code != HTTPStatus.OK or body is None:
            raise KiteFailure(
                f"GET {path}: HTTP {response.status_code} without the JSON asked for",
                stage=Stage.UNANSWERED,
                http_status=response.status_code,
            )
        return body

    def lines(self, route: str, **url_args: str) -> Iterator[str]:
        """A large text answer line by line, without holding it whole."""
        path = self._routes[route].format(**url_args)
        response = self._exchange("GET", path, stream=True)
        if response.status_code != HTTPStatus.OK:
            _data(response, f"GET {route}")
        try:
            for line in response.iter_lines(chunk_size=1 << 16):
                yield line.decode("utf-8")
        except requests.RequestException as error:
            raise KiteFailure(f"GET {route}: {type(error).__name__}", stage=Stage.UNANSWERED) from error
        finally:
            response.close()

    def _exchange(self, method: str, path: str, **arguments: Any) -> requests.Response:
        headers = {"X-Kite-Version": self.kite_header_version, "User-Agent": self._user_agent()}
        if self.access_token:
            headers["Authorization"] = f"token {self.api_key}:{self.access_token}"
        try:
            response: requests.Response = self.reqsession.request(
                method,
                self.root + path,
                headers=headers,
                timeout=self.timeout,
                allow_redirects=False,
                **arguments,
            )
        except requests.RequestException as error:
            # After a time-out the answer may still arrive: on this socket it would answer the next call.
            self.reqsession.close()
            raise KiteFailure(f"{method} {path}: {type(error).__name__}", stage=_stage_of(error)) from error
        self.venue_session = response.headers.get(SESSION_HEADER, self.venue_session)
        return response


@contextmanager
def failures_as(error_of: Callable[[KiteFailure], BrokerError]) -> Iterator[None]:
    """Turn a KiteFailure into what the caller of the port must act on."""
    try:
        yield
    except KiteFailure as failure:
        raise error_of(failure) from failure


def _stage_of(error: requests.RequestException) -> Stage:
    if isinstance(error, (requests.exceptions.ConnectTimeout, *_NEVER_BUILT)):
        return Stage.NOT_SENT
    cause = error.args[0] if error.args else None
    if isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError):
        return Stage.NOT_SENT
    return Stage.UNANSWERED


def _data(response: requests.Response, call: str) -> Any:
    """`data` of an answer, or the bytes of a CSV. What is not Kite's JSON is no believable answer."""
    status = response.status_code
    if status == HTTPStatus.OK and "csv" in response.headers.get("content-type", ""):
        return response.content
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        stage = Stage.ANSWERED if status == HTTPStatus.TOO_MANY_REQUESTS else Stage.UNANSWERED
        raise KiteFailure(f"{call}: HTTP {status} without Kite's JSON", stage=stage, http_status=status)
    if (
        status == HTTPStatus.OK
        and body.get("status") != "error"
        and "data" in body
        and not body.get("error_type")
    ):
        return body["data"]
    raise KiteFailure(
        str(body.get("message") or f"{call}: HTTP {status} without a message"),
        stage=Stage.UNANSWERED if status == HTTPStatus.OK else Stage.ANSWERED,
        http_status=status,
        error_type=str(body.get("error_type") or ""),
    )
