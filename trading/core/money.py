"""Money: rupees are Decimal, prices inside the market core are whole paise. Nothing here is a float."""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal, InvalidOperation
from operator import index
from typing import Literal, SupportsIndex

Rounding = Literal["down", "up", "nearest"]

_MODES = {"down": ROUND_FLOOR, "up": ROUND_CEILING, "nearest": ROUND_HALF_UP}
_PAISA = Decimal("0.01")


def to_paise(amount_inr: Decimal | str | int) -> int:
    """Rupees as whole paise, exactly. Raises ValueError for a fraction of a paisa, a float or what is no
    number.
    """
    if isinstance(amount_inr, float | bool) or not isinstance(amount_inr, Decimal | str | int):
        raise ValueError(
            f"{amount_inr!r} is a {type(amount_inr).__name__}: give rupees as Decimal, str or int"
        )
    try:
        paise = Decimal(amount_inr) * 100
        whole = int(paise)
    except (InvalidOperation, ValueError, OverflowError) as error:
        raise ValueError(f"{amount_inr!r} is not an amount of rupees; write it like '1234.50'") from error
    if paise != whole:
        raise ValueError(f"₹{amount_inr} has a fraction of a paisa: round it to a tick first")
    return whole


def to_inr(paise: SupportsIndex) -> Decimal:
    """Whole paise as rupees with two decimals. Takes numpy integers, no floats."""
    return Decimal(index(paise)).scaleb(-2)


def round_paise_to_tick(price_paise: int, tick_paise: int, rounding: Rounding) -> int:
    """The multiple of `tick_paise` at or below, at or above, or nearest to a price (halves go up).

    A fractional price (an average, an indicator) is first taken to be a Decimal by the caller: see
    `round_to_tick`.
    """
    if tick_paise <= 0:
        raise ValueError(f"a tick of {tick_paise} paise is no grid: check the instrument's tick_size")
    if rounding == "down":
        return price_paise // tick_paise * tick_paise
    if rounding == "up":
        return -(-price_paise // tick_paise) * tick_paise
    return (2 * price_paise + tick_paise) // (2 * tick_paise) * tick_paise


def round_to_tick(price: Decimal, tick: Decimal, rounding: Rounding) -> Decimal:
    """The multiple of `tick` at or below, at or above, or nearest to `price` (halves away from zero), rupees.

    Any fraction of a paisa in `price` is allowed; the result has at least two decimals.
    """
    if tick <= 0:
        raise ValueError(f"a tick of ₹{tick} is no grid: check the instrument's tick_size")
    return ((price / tick).to_integral_value(rounding=_MODES[rounding]) * tick).quantize(min(_PAISA, tick))


def format_inr(amount_inr: Decimal | int, *, sign: bool = False) -> str:
    """`₹12,34,567.50`: Indian grouping (three digits, then twos), always two decimals, half a paisa rounded
    away.

    The minus goes before the rupee sign; `sign` writes a plus too.
    """
    rounded = Decimal(amount_inr).quantize(_PAISA, rounding=ROUND_HALF_UP)
    whole, fraction = f"{abs(rounded):f}".split(".")
    head, tail = whole[:-3], whole[-3:]
    pairs = [head[max(0, end - 2) : end] for end in range(len(head), 0, -2)][::-1]
    mark = "-" if rounded < 0 else "+" if sign and rounded > 0 else ""
    return f"{mark}₹{','.join([*pairs, tail])}.{fraction}"
