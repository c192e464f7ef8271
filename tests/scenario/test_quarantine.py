"""A quarantined test runs, does not fail the run, and is named with its reason and outcome."""

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
CONFTEST = 'pytest_plugins = ["tests.support.quarantine"]'


@pytest.fixture(autouse=True)
def found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The runs find the plugin."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def run(pytester: pytest.Pytester, body: str, *arguments: str) -> pytest.RunResult:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(f"import pytest\n\n{body}")
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", "--strict-markers", *arguments)


@pytest.mark.parametrize("arguments", [(), ("-n", "1")], ids=["one process", "a worker"])
def test_what_fails_is_named_with_its_reason_and_fails_no_run(
    pytester: pytest.Pytester, arguments: tuple[str, ...]
) -> None:
    result = run(
        pytester,
        """
@pytest.mark.quarantined(reason="the port is taken now and then")
def test_fails():
    assert 1 == 2

@pytest.mark.quarantined(reason="not seen since the port is chosen by the kernel")
def test_passes():
    pass

def test_other():
    pass
""",
        *arguments,
    )
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines_random(
        [
            "*quarantined tests*",
            "FAILED *::test_fails (call): the port is taken now and then",
            "*assert 1 == 2*",
            "PASSED *::test_passes (call): not seen since the port is chosen by the kernel",
            "*1 passed, 2 quarantined*",
        ]
    )


def test_a_fixture_of_it_that_fails_fails_no_run_either(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
@pytest.fixture
def broken():
    raise OSError("nobody answers")

@pytest.mark.quarantined(reason="the peer is slow to start")
def test_fails(broken):
    pass
""",
    )
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["FAILED *::test_fails (setup): the peer is slow to start", "*nobody answers*"])


def test_it_saves_nobody_else(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
@pytest.mark.quarantined(reason="the port is taken now and then")
def test_fails():
    assert 1 == 2

def test_fails_too():
    assert 3 == 4
""",
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["FAILED *::test_fails_too*", "*1 failed, 1 quarantined*"])


@pytest.mark.parametrize("mark", ["quarantined", 'quarantined(reason=" ")', 'quarantined("in brackets")'])
def test_without_a_written_reason_no_test_runs(pytester: pytest.Pytester, mark: str) -> None:
    result = run(pytester, f"@pytest.mark.{mark}\ndef test_one():\n    pass\n")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*test_one: write the cause: @pytest.mark.quarantined(reason=...)"])
