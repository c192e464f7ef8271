"""Tests that are known to fail now and then: `@pytest.mark.quarantined(reason="...")`.

Such a test runs as any other. Its failure does not fail the run, and every run ends with its name, the reason and the
outcome. The reason is the cause as far as it is known, and what will mend it. A plugin of pytest, loaded by
tests/conftest.py.
"""

from collections.abc import Generator

import pytest
from _pytest.terminal import TerminalReporter

MARK = "quarantined"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{MARK}(reason): a failure is named at the end, but does not fail the run")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        mark = item.get_closest_marker(MARK)
        if mark is not None and not _reason_of(mark):
            raise pytest.UsageError(f"{item.nodeid}: write the cause: @pytest.mark.{MARK}(reason=...)")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    mark = item.get_closest_marker(MARK)
    if mark is not None:
        reason = _reason_of(mark)
        setattr(report, MARK, reason)
        if report.failed:
            report.wasxfail = reason  # pytest itself then leaves it out when it counts failures
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    if not hasattr(report, MARK):
        return None
    if report.passed and report.when != "call":
        return "", "", ""
    return MARK, "q", f"QUARANTINED ({report.outcome})"


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    reports = terminalreporter.getreports(MARK)
    if not reports:
        return
    terminalreporter.section("quarantined tests")
    for report in reports:
        terminalreporter.line(f"{report.outcome.upper()} {report.nodeid} ({report.when}): {report.quarantined}")
        if report.failed:
            terminalreporter.line(f"    {_last_line(report)}")


def _reason_of(mark: pytest.Mark) -> str:
    return str(mark.kwargs.get("reason", "")).strip()


def _last_line(report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message if crash is not None else report.longrepr).splitlines()[0]
