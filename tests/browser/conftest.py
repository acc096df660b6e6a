"""Where AITRAPP_BROWSER is `required`, as in CI, a browser test that would be skipped fails instead."""

import os
from collections.abc import Generator

import pytest

IS_REQUIRED = os.environ.get("AITRAPP_BROWSER") == "required"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if IS_REQUIRED and report.skipped and item.get_closest_marker("browser"):
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome, report.longrepr = (
            "failed",
            f"AITRAPP_BROWSER=required, so this may not be skipped. {why}",
        )
    return report
