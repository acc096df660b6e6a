import pytest

from trading.strategies.registry import ON_BY_DEFAULT, STRATEGIES, strategies, strategy


def test_the_defaults_are_on_and_vwap_reversion_is_off():
    assert [each.name for each in strategies()] == ["ORB", "TrendPullback"]
    assert "VWAPReversion" in STRATEGIES.keys() - ON_BY_DEFAULT


def test_a_strategy_is_found_by_its_name():
    assert strategy("VWAPReversion").interval_min == 5


@pytest.mark.parametrize("ask", [strategy, lambda name: strategies([name])])
def test_an_unknown_name_lists_those_that_exist(ask):
    with pytest.raises(
        ValueError, match="no strategy 'ORBIT': choose from ORB, TrendPullback, VWAPReversion"
    ):
        ask("ORBIT")
