"""The burn-in report: a day's verdict, what it came to and the evidence for it; stored once per session."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
from pathlib import Path
from typing import Any

from django.conf import settings

from reporting import invariants, queries
from reporting.criteria import Criterion, evidence_of, judge
from reporting.queries import BookReader
from reporting.summary import Summary, summary
from risk import self_test, state
from risk.models import BurninDay
from trading.core.money import to_paise
from trading.models import Account, Fill, Signal, StrategySetting, VenueSession
from trading.strategies import registry

#: top-level folders whose Python is not what trades
NOT_CODE = frozenset({"tests", "var", "logs", "staticfiles"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """One day's verdict. `evidence` and `digest` are hex SHA-256; times aware."""

    account_id: int
    account: str
    session_id: int
    session: str
    market: str
    description: str
    trading_date: date
    reported_at: datetime
    criteria: tuple[Criterion, ...]
    problems: tuple[str, ...]
    summary: Summary
    evidence: str
    digest: str

    @property
    def passed(self) -> bool:
        """Every criterion true and no invariant broken."""
        return bool(self.criteria) and all(one.passed for one in self.criteria) and not self.problems

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the criteria that are false."""
        return tuple(one.name for one in self.criteria if not one.passed)


def report(
    account: Account, session: VenueSession, trading_date: date, broker: BookReader | None, *, now: datetime
) -> Report:
    """Judge one day from its rows and the broker's books. `now` is aware market time.

    Without a broker, what needs its books is false. Raises BrokerUnavailable or SessionExpired.
    """
    facts = queries.day_facts(account, session, trading_date, broker, now=now)
    return Report(
        account_id=account.pk,
        account=account.name,
        session_id=session.pk,
        session=session.key,
        market=session.market,
        description=session.description,
        trading_date=trading_date,
        reported_at=now,
        criteria=judge(evidence_of(facts)),
        problems=(*invariants.problems(facts), *_rules_not_asked(session, trading_date)),
        summary=summary(account, session, trading_date),
        evidence=evidence_hash(account, Path(settings.BASE_DIR)),
        digest=day_digest(account, session, trading_date),
    )


def _rules_not_asked(session: VenueSession, trading_date: date) -> list[str]:
    """A rule that lost its place guards nothing, and nothing else would show it."""
    unasked = sorted(self_test.unasked(session.pk, trading_date))
    return [
        f"{reason}: no entry was asked about it today, although entries were looked at" for reason in unasked
    ]


def store(judged: Report) -> BurninDay:
    """Write the verdict of a session; again replaces it."""
    row, _ = BurninDay.objects.update_or_create(
        session_id=judged.session_id,
        defaults={
            "account_id": judged.account_id,
            "trading_date": judged.trading_date,
            "market": judged.market,
            "passed": judged.passed,
            "criteria": [asdict(one) for one in judged.criteria],
            "problems": list(judged.problems),
            "trades": judged.summary.trades,
            "gross_inr": judged.summary.gross_inr,
            "charges_inr": judged.summary.charges_inr,
            "net_inr": judged.summary.net_inr,
            "evidence": judged.evidence,
            "digest": judged.digest,
            "reported_at": judged.reported_at,
        },
    )
    return row


def stored(row: BurninDay) -> Report:
    """A verdict as it was stored; the day's summary is read from its rows."""
    session = row.session
    return Report(
        account_id=row.account_id,
        account=row.account.name,
        session_id=session.pk,
        session=session.key,
        market=row.market,
        description=session.description,
        trading_date=row.trading_date,
        reported_at=row.reported_at,
        criteria=tuple(Criterion(**one) for one in row.criteria),
        problems=tuple(row.problems),
        summary=summary(row.account, session, row.trading_date),
        evidence=row.evidence,
        digest=row.digest,
    )


def as_json(judged: Report) -> dict[str, Any]:
    """The report for machines. Rupees as JSON numbers; `pnl_inr` is net, after charges."""
    totals = judged.summary
    return {
        "date": judged.trading_date.isoformat(),
        "account": judged.account,
        "session": judged.session,
        "passed": judged.passed,
        "criteria": [asdict(one) for one in judged.criteria],
        "trades": totals.trades,
        "gross_inr": to_paise(totals.gross_inr) / 100,
        "charges_inr": to_paise(totals.charges_inr) / 100,
        "pnl_inr": to_paise(totals.net_inr) / 100,
        "problems": list(judged.problems),
        "digest": judged.digest,
        "evidence": judged.evidence,
    }


def day_digest(account: Account, session: VenueSession, trading_date: date) -> str:
    """Hash of the day's decisions and fills without any id: equal where the same happened in two sessions."""
    day = {"account": account, "session": session, "trading_date": trading_date}
    return _hash([_decision_lines(day), _fill_lines(day)])


def evidence_hash(account: Account, root: Path) -> str:
    """Hash of what the verdict rests on: code outside tests, requirements, strategies that run, paper limits.

    The code holds the strategies' parameters. Equal only where nothing that may change a day has changed.
    """
    code = [[name, hashlib.sha256(path.read_bytes()).hexdigest()] for name, path in _code(root)]
    limits = state.limits_in_force(account.pk).value()
    rules = [[one.name, str(getattr(limits, one.name))] for one in fields(limits)]
    return _hash([code, _enabled(account), rules, str(account.paper_capital_inr), str(account.product)])


def _code(root: Path) -> Iterator[tuple[str, Path]]:
    """Relative name and path of every file that counts, sorted."""
    found = [path for path in (root / "requirements.txt", *root.glob("*.py")) if path.is_file()]
    for folder in root.iterdir():
        if folder.is_dir() and folder.name not in NOT_CODE and not folder.name.startswith("."):
            found += folder.rglob("*.py")
    return iter(sorted((path.relative_to(root).as_posix(), path) for path in found))


def _enabled(account: Account) -> list[str]:
    rows = dict(StrategySetting.objects.filter(account=account).values_list("strategy", "enabled"))
    return sorted(name for name in registry.STRATEGIES if rows.get(name, name in registry.ON_BY_DEFAULT))


def _decision_lines(day: dict[str, Any]) -> list[list[str]]:
    lines = []
    for signal in Signal.objects.filter(**day).select_related("decision"):
        decision = getattr(signal, "decision", None)
        answer: list[object] = ["unanswered"]
        if decision is not None:
            reasons = ",".join(one["reason"] for one in decision.reasons)
            figures = (decision.quantity, decision.limit_price, decision.risk_inr, decision.costs_inr)
            answer = [decision.approved, reasons, *figures]
        when = (signal.seen_at.isoformat(), signal.candle_at.isoformat())
        what = (signal.strategy, signal.exchange, signal.tradingsymbol, signal.side)
        prices = (signal.entry_price, signal.stop_price, signal.target_price, signal.first_target_price)
        lines.append(_texts([*when, *what, *prices, *answer]))
    return sorted(lines)


def _fill_lines(day: dict[str, Any]) -> list[list[str]]:
    lines = []
    for fill in Fill.objects.filter(**day).select_related("order"):
        order = fill.order
        where = (fill.exchange, order.tradingsymbol, order.role, order.group_number)
        when = fill.filled_at.isoformat()
        lines.append(_texts([when, *where, fill.side, fill.quantity, fill.price]))
    return sorted(lines)


def _texts(values: Iterable[object]) -> list[str]:
    return [str(value) for value in values]


def _hash(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
