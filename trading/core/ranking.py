"""Which signals of a pass are worth a look: five parts less penalties. Scores are floats, never money."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite
from typing import NamedTuple

from trading.core.enums import Side
from trading.core.values import Score


@dataclass(frozen=True, kw_only=True, slots=True)
class MarketPicture:
    """What the market of one signal looked like at its candle's close. NaN: not known; it earns nothing."""

    side: Side
    #: 0..100
    rsi: float
    #: 0..100
    adx: float
    #: fast EMA less slow EMA, in ATRs; positive in an uptrend
    ema_gap_atr: float
    #: ask less bid, per cent of the middle
    spread_pct: float
    #: rupees traded a minute, mean of the last minutes
    traded_inr_per_min: float
    #: ATR now over its own mean of the warm-up days: 1 is an ordinary market
    atr_ratio: float
    #: last price from session VWAP, per cent, either sign
    vwap_distance_pct: float
    #: reward at the target over risk at the stop
    reward_risk: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Weights:
    """The five weights add up to one; penalties are taken from the weighted sum."""

    momentum: float = 0.25
    trend: float = 0.25
    liquidity: float = 0.20
    regime: float = 0.15
    reward_risk: float = 0.15
    illiquid_penalty: float = 0.3
    far_from_vwap_penalty: float = 0.2


@dataclass(frozen=True, kw_only=True, slots=True)
class Ramp:
    """A straight line from 0 at `nothing` to 1 at `full`, flat outside; `nothing` may be the larger."""

    nothing: float
    full: float

    def at(self, value: float) -> float:
        """0..1; 0 where the value is not known."""
        if not isfinite(value):
            return 0.0
        return min(1.0, max(0.0, (value - self.nothing) / (self.full - self.nothing)))


@dataclass(frozen=True, kw_only=True, slots=True)
class RankingSettings:
    """Where each part begins and is full, and how many of a pass go on."""

    weights: Weights = Weights()
    #: RSI counted in the signal's direction: a short's 30 is a long's 70
    rsi: Ramp = Ramp(nothing=50.0, full=70.0)
    adx: Ramp = Ramp(nothing=15.0, full=35.0)
    ema_gap_atr: Ramp = Ramp(nothing=0.0, full=1.5)
    spread_pct: Ramp = Ramp(nothing=0.10, full=0.01)
    traded_inr_per_min: Ramp = Ramp(nothing=0.0, full=2_00_00_000.0)
    #: too calm and too wild both earn nothing
    calm: Ramp = Ramp(nothing=0.4, full=0.8)
    wild: Ramp = Ramp(nothing=2.5, full=1.5)
    reward_risk: Ramp = Ramp(nothing=1.0, full=2.5)
    illiquid_spread_pct: float = 0.50
    illiquid_inr_per_min: float = 1_00_000.0
    far_from_vwap_pct: float = 2.0
    looked_at: int = 5
    entered: int = 3


DEFAULT_SETTINGS = RankingSettings()


class Candidate(NamedTuple):
    """A scored signal; the key is its id or any text that names it."""

    key: str
    score: Score


def score(picture: MarketPicture, settings: RankingSettings = DEFAULT_SETTINGS) -> Score:
    """Score one signal: five parts and the total 0..1, penalties apart."""
    weights = settings.weights
    along = picture.side.sign
    momentum = settings.rsi.at(50.0 + along * (picture.rsi - 50.0))
    trend = (settings.adx.at(picture.adx) + settings.ema_gap_atr.at(along * picture.ema_gap_atr)) / 2
    tight = settings.spread_pct.at(picture.spread_pct)
    liquidity = (tight + settings.traded_inr_per_min.at(picture.traded_inr_per_min)) / 2
    regime = min(settings.calm.at(picture.atr_ratio), settings.wild.at(picture.atr_ratio))
    reward_risk = settings.reward_risk.at(picture.reward_risk)
    penalty = _penalty(picture, settings)
    weighted = (
        weights.momentum * momentum
        + weights.trend * trend
        + weights.liquidity * liquidity
        + weights.regime * regime
        + weights.reward_risk * reward_risk
    )
    return Score(
        momentum=momentum,
        trend=trend,
        liquidity=liquidity,
        regime=regime,
        reward_risk=reward_risk,
        penalty=penalty,
        total=min(1.0, max(0.0, weighted - penalty)),
    )


def rank(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Best first; equal totals by reward for risk, then by key, so that a replay gives the same order."""
    return sorted(
        candidates,
        key=lambda candidate: (-candidate.score.total, -candidate.score.reward_risk, candidate.key),
    )


def shortlist(
    candidates: Iterable[Candidate], settings: RankingSettings = DEFAULT_SETTINGS
) -> list[Candidate]:
    """The best of a pass, which are looked at; the caller stops once `settings.entered` were entered."""
    return rank(candidates)[: settings.looked_at]


def _penalty(picture: MarketPicture, settings: RankingSettings) -> float:
    """What is not known counts as bad: a market nobody can see is not liquid."""
    is_liquid = (
        picture.spread_pct <= settings.illiquid_spread_pct
        and picture.traded_inr_per_min >= settings.illiquid_inr_per_min
    )
    is_near_vwap = abs(picture.vwap_distance_pct) <= settings.far_from_vwap_pct
    penalty = 0.0 if is_liquid else settings.weights.illiquid_penalty
    return penalty if is_near_vwap else penalty + settings.weights.far_from_vwap_penalty
