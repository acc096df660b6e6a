"""What the exchange's benchmark makes of its figures."""

from tests.benchmarks import exchange

GOOD = {
    "orders_per_s": 250.123,
    "many_p99_ms": 90.0,
    "one_p50_ms": 4.9,
    "one_p99_ms": 9.0,
    "four_p50_ms": 6.0,
    "four_p99_ms": 24.9,
    "tick_us": 9.0,
    "placed": 2500,
    "refused": 0,
    "load": 1.0,
}


def test_figures_within_their_limits_pass_and_are_told():
    found = exchange.summary_of(GOOD)
    assert (found["passed"], found["missed"], found["orders_per_s"]) == (True, [], 250.12)
    assert exchange.told(found).endswith("2500 orders placed, 0 refused, load 1.0: passed")


def test_a_missed_figure_is_named():
    found = exchange.summary_of(GOOD | {"four_p99_ms": 25.1, "orders_per_s": 199.9})
    assert (found["passed"], found["missed"]) == (False, ["four_p99_ms", "orders_per_s"])
    assert "NOT passed: four_p99_ms, orders_per_s" in exchange.told(found)


def test_a_refused_order_passes_nothing():
    assert exchange.summary_of(GOOD | {"refused": 1})["passed"] is False


def test_a_percentile_is_one_of_the_figures():
    times = [float(number) for number in range(1, 101)]
    assert (exchange.percentile(times, 50), exchange.percentile(times, 99)) == (51.0, 100.0)


def test_a_tick_past_two_hundred_resting_orders_costs_little():
    # Twenty times the usual figure: the machine may be busy. Each order looked at would cost more.
    assert exchange.tick_us(ticks=50) < 200
