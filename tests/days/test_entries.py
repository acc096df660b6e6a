import pytest
from tests.days.desk import Day
from trading.core.enums import Role
pytestmark = pytest.mark.django_db

def test_an_entry_fills_and_is_protected():
    day = Day.opens()
    decision = day.enters()
    assert decision.approved, decision.reasons
    print(decision.quantity, decision.limit_price, day.working(), day.net(), day.groups(), [ (g.state, g.unprotected_ms) for g in day.groups()])
    day.price_goes_to("25310", frames=20)
    day.run_for(10)
    print([(g.state, g.exit_reason) for g in day.groups()], day.working(), day.net(), day.trades()[0].net_inr, day.trades()[0].closed_at)
    assert 0
