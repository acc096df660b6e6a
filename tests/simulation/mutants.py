"""Deliberate defects: each undoes one lesson, and a campaign must notice it. A harness that finds nothing it was fed
proves nothing.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final

from oco import books, exits, flatten, groups, plan, reconciliation, rows, watcher
from risk import rules, state
from tests.simulation import defects, defects_in_sums
from trading import account, decisions, lease, orders, sending, signals, trades
from trading.core import sizing

Patch = tuple[Any, str, Callable[[Any], Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Mutant:
    """`patches` are (owner, name, from the real thing to the broken one). `first_seeds` are tried before the others:
    they are known to have what it takes to show the defect.
    """

    undoes: str
    patches: tuple[Patch, ...]
    first_seeds: tuple[int, ...] = ()


def _mutant(undoes: str, *patches: Patch, first_seeds: tuple[int, ...] = ()) -> Mutant:
    return Mutant(undoes=undoes, patches=patches, first_seeds=first_seeds)


#: a position's exits are not tidied up by the plan, so that what a defect leaves resting stays
_UNTIDY: Final[Patch] = (plan, "next_actions", defects.no_strays)

MUTANTS: Final[dict[str, Mutant]] = {
    "sent before it is written": _mutant("1.2", (orders, "submit", defects.send_then_remember)),
    "a time-out is a refusal": _mutant("1.1", (sending, "carry_out", defects.time_out_is_refusal)),
    "a time-out is tried again": _mutant("1.1", (sending, "carry_out", defects.retry)),
    "an interrupted intent is sent again": _mutant(
        "1.2", (orders, "settle_interrupted", defects.send_again_after_restart)
    ),
    "orders in flight are not counted": _mutant(
        "1.2", (account, "snapshot", defects_in_sums.no_coming), (account, "_entry_risks", defects.empty)
    ),
    "a late fill is ignored": _mutant(
        "1.2", (orders, "apply_report", defects.late_is_ignored), first_seeds=(74, 145, 161, 177)
    ),
    "a remainder hangs": _mutant(
        "1.3", (plan, "_reprice_when_hanging", defects.nothing), (plan, "_is_jumped", defects.false)
    ),
    "nobody calls the exit checks": _mutant("1.3", (watcher.OrderWatcher, "_protect", defects.nothing)),
    "the stop is never placed": _mutant("1.4", (plan, "_first_exit", defects.nothing)),
    "a failed stop is only logged": _mutant(
        "1.4", (plan, "_exit_for_the_rest", defects.nothing), (plan, "_step_on_its_way", defects.nothing)
    ),
    "a pause holds exits back": _mutant("1.5", (sending, "_held_back", defects.exits_held_back)),
    "the first target cancels the other stop": _mutant(
        "1.6",
        (plan, "_step_of_resting_stop", defects.target_cancels_the_other),
        (plan, "_exit_for_the_rest", defects.other_half_is_done),
    ),
    "a second resting stop": _mutant("1.7", (plan, "_step_on_its_way", defects.second_stop), _UNTIDY),
    "two owners make exits": _mutant("1.7", (exits, "perform", defects.doubled_children), _UNTIDY),
    "two resting legs": _mutant(
        "1.7",
        (exits, "perform", defects.two_legs),
        (rows, "group_view", defects.targets_apart),
        (groups, "live", defects.stops_alone),
        first_seeds=(24,),
    ),
    "one poisoned order stops all": _mutant(
        "1.8", (books, "_apply", defects.one_poisons_all), first_seeds=(24, 37, 45)
    ),
    "every pass closes again": _mutant(
        "1.9", (plan, "_reprice_when_hanging", defects.closes_beside), _UNTIDY
    ),
    "flatten leaves the stops": _mutant(
        "1.9", (plan, "_step_of_resting_stop", defects.flatten_beside_stops), _UNTIDY
    ),
    "flatten forgets entries": _mutant("1.9", (flatten, "_entries_coming", defects.empty)),
    "the kill state is in memory": _mutant("1.10", (state, "reasons_off", defects.forget_flatten)),
    "a restart forgets its groups": _mutant("1.10", (groups, "live", defects.forget_groups)),
    "the fence is not checked": _mutant(
        "1.11",
        (lease, "is_current", defects.true),
        (lease, "leads", defects.everybody_leads),
        (sending, "DEADLINE_S", defects.never),
    ),
    "a new leader lifts the kill": _mutant("1.11", (watcher.OrderWatcher, "recover", defects.lift_the_kill)),
    "a restart closes the book": _mutant("1.12", (watcher.OrderWatcher, "recover", defects.close_everything)),
    "partial fills are not seen": _mutant("1.13", (groups, "follow_entry", defects.only_complete)),
    "one absence is a loss": _mutant("1.13", (orders, "note_absence", defects.absence_is_loss)),
    "filled quantities fall": _mutant("1.13", (orders, "_is_older", defects.older_fills_count)),
    "nobody reconciles": _mutant("1.14", (reconciliation.Reconciler, "look", defects.false)),
    "all orders share a tag": _mutant(
        "2", (decisions, "kite_tag", defects.one_tag), (exits, "kite_tag", defects.one_tag)
    ),
    "the tag is cut short": _mutant(
        "2",
        (decisions, "kite_tag", defects.tags_without_role),
        (exits, "kite_tag", defects.tags_without_role),
    ),
    "the date is left out of the id": _mutant("2", (signals, "plan_of", defects.no_date)),
    "all plans share an id": _mutant("2", (signals, "plan_client_id", defects.one_plan)),
    "orders are known by id alone": _mutant("2", (books, "_ours", defects.by_id_only)),
    "heat in points": _mutant("3", (account, "heat_inr", defects_in_sums.points)),
    "per cent against rupees": _mutant("3", (rules, "RULES", defects_in_sums.per_cent_against_rupees)),
    "a limit's sign is flipped": _mutant("3", (rules, "RULES", defects_in_sums.flipped_sign)),
    "at least one lot": _mutant(
        "3",
        (sizing, "quantity_for_risk", defects_in_sums.at_least_one_lot),
        (rules, "RULES", defects_in_sums.more_than_one_trade_may_risk),
    ),
    "capital is a constant": _mutant("3", (account, "capital_inr", defects_in_sums.constant_capital)),
    "charges are left out": _mutant("3", (trades, "charges_of_fills", defects_in_sums.free_of_charge)),
}


@contextmanager
def applied(name: str) -> Iterator[None]:
    """Have the program carry one defect while the block runs; an empty name changes nothing."""
    with ExitStack() as stack:
        for owner, attribute, breaking in MUTANTS[name].patches if name else ():
            stack.enter_context(_replaced(owner, attribute, breaking))
        yield


@contextmanager
def _replaced(owner: Any, attribute: str, breaking: Callable[[Any], Any]) -> Iterator[None]:
    real = owner.__dict__[attribute]
    setattr(owner, attribute, breaking(real))
    try:
        yield
    finally:
        setattr(owner, attribute, real)
