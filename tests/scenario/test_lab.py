"""`homing lab` as people and programs meet it: the quick report, runs, drawn scenarios, replay on a real database."""

import asyncio
import importlib.util
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest
from click.testing import CliRunner

import homing
from homing.cli import main
from homing.common.ids import first_id_at
from homing.lab.scenario import read
from homing.lab.worker_pool import RunTask, gather
from tests.support.server import migrated_database
from tests.support.waiting import until_blocking

SOURCE = str(Path(homing.__file__).parents[1])
BEGAN = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
FIGURES = {
    *("oracle_ratio", "oracle_ratio_late", "best_baseline_bad_carrier", "best_baseline_elsewhere"),
    *("conversions_against_oracle", "shift_honest_s", "shift_lying_s", "refused_overall", "refused_worst"),
    *("distinct_refused_worst", "path_us"),
    *(f"stopped_{kind}" for kind in ("burst", "rotating", "drip", "mimicry", "colluding", "forged")),
}
MINE = """
name = "mine"
hours = 0.5
[[countries]]
code = "ID"
networks = [{ prefix = "62812", digits = 12 }]
[[apps]]
name = "signin"
[[carriers]]
name = "alpha"
price = "0.02"
[[carriers]]
name = "bravo"
price = "0.01"
delivered = 0.5
"""


def lab(*words: str, status: int = 0, environment: Mapping[str, str | None] | None = None) -> str:
    result = CliRunner().invoke(main, ["lab", *words], env=dict(environment or {}))
    assert result.exit_code == status, (result.output, result.exception)
    return result.stdout if status == 0 else result.stderr


def test_the_quick_report_ends_in_time_and_has_every_figure() -> None:
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "homing.cli", "lab", "report", "--quick", "--workers", "1", "--seeds", "1", "--json"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": SOURCE},
    )
    took_s = time.monotonic() - began
    found = json.loads(done.stdout)
    assert {figure["name"] for figure in found["figures"]} == FIGURES
    for figure in found["figures"]:
        assert {"title", "unit", "target", "measured", "met", "interval", "seeds", "hours"} <= figure.keys()
        assert figure["met"] in (True, False, None)
    by_name = {figure["name"]: figure for figure in found["figures"]}
    assert by_name["oracle_ratio"]["target"] == 1.05
    assert (by_name["oracle_ratio"]["measured"] or 1.0) < 1.2  # on a machine that is kept busy it may not come to it
    assert by_name["path_us"]["measured"] is not None
    assert found["seeds"] >= 1
    assert found["messages_simulated"] > 20_000
    assert took_s < 60 or os.getloadavg()[0] > 4, "on a machine with time for it"


def test_a_strangers_scenario_makes_a_report_with_page_and_plots(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(MINE.replace("hours = 0.5", "hours = 0.1"))
    out = tmp_path / "out"
    found = json.loads(
        lab("report", "--scenario", str(file), "--seeds", "2", "--workers", "1", "--out", str(out), "--json")
    )
    (scenario,) = found["scenarios"]
    assert scenario["name"] == "mine"
    assert {line["policy"] for line in scenario["policies"]} >= {"homing", "oracle", "least-cost"}
    assert all(line["seeds"] == 2 for line in scenario["policies"])
    html = (out / "report.html").read_text()
    assert "mine" in html
    assert "data:image/png;base64," in html
    assert json.loads((out / "report.json").read_text())["figures"]
    for name in ("cost-per-conversion.png", "shares.png"):
        assert (out / name).read_bytes().startswith(b"\x89PNG")


def test_a_report_that_was_cut_short_goes_on_where_it_was(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    mine = MINE.replace("hours = 0.5", "hours = 0.1")
    file.write_text(mine)
    out = tmp_path / "out"
    words = ("report", "--scenario", str(file), "--seeds", "2", "--workers", "1", "--out", str(out), "--json")
    first = json.loads(lab(*words))
    runs = (out / "runs.jsonl").read_bytes()
    cut = runs[: len(runs) * 2 // 3]  # in the middle of a line, as a killed process leaves it
    (out / "runs.jsonl").write_bytes(cut)
    again = json.loads(lab(*words))
    went_on = (out / "runs.jsonl").read_bytes()
    assert went_on.startswith(cut)
    assert len(went_on.splitlines()) > len(cut.splitlines())

    assert again["scenarios"] == first["scenarios"]
    assert again["figures"] == first["figures"]
    assert next(figure for figure in first["figures"] if figure["name"] == "path_us")["measured"] is None
    assert json.loads(lab(*words))["messages_simulated"] == first["messages_simulated"]
    assert (out / "runs.jsonl").read_bytes() == went_on, "nothing was left to run"

    file.write_text(mine.replace('name = "mine"', 'name = "mine"\nrate_peak_h = 3'))
    lab(*words)
    assert len((out / "runs.jsonl").read_bytes()) > len(went_on), "another scenario of the same name is run"


def test_a_run_shows_where_traffic_went(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(MINE)
    shown = json.loads(lab("run", str(file), "--policy", "round-robin", "--json"))
    assert shown["people"] > 30_000
    assert len(shown["course"]) == 3
    assert "alpha  50 %" in shown["course"][0]["shares"]
    assert "Course" in lab("run", str(file), "--policy", "oracle")


def test_scenarios_are_listed_and_drawn_ones_can_be_read_again(tmp_path: Path) -> None:
    listed = json.loads(lab("scenarios", "--json"))
    assert len(listed) >= 16
    assert {"burst", "loss-lying", "generated-routing-1"} <= {row["name"] for row in listed}
    file = tmp_path / "drawn.toml"
    file.write_text(lab("generate", "--seed", "7"))
    assert lab("generate", "--seed", "7") == file.read_text()
    assert "generated-routing-7" in lab("run", str(file), "--hours", "0.25", "--policy", "priority")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "nowhere"), "there is no scenario 'nowhere'"),
        (("run", "nowhere.toml"), "cannot be read"),
        (("run", "steady", "--policy", "magic"), "there is no policy 'magic'"),
        (("report", "--only", "nowhere"), "there is no scenario 'nowhere'"),
    ],
)
def test_what_is_not_there_is_told_in_one_line(words: tuple[str, ...], said: str) -> None:
    assert said in lab(*words, status=1)


def test_a_wrong_file_is_told_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(MINE.replace("hours = 0.5", "hours = -1"))
    assert "mine.toml: Expected `float` > 0.0" in lab("report", "--scenario", str(file), status=1)


def test_nothing_but_the_lab_needs_numpy() -> None:
    program = (
        "import sys\nfrom homing.cli import main\nimport homing.app.process, homing.cli.lab\n"
        "sys.exit('numpy' in sys.modules or 'matplotlib' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, env={**os.environ, "PYTHONPATH": SOURCE})
    assert done.returncode == 0


def test_an_installation_without_the_labs_libraries_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "numpy" else found(name))
    answer = lab("scenarios", status=1)
    assert "needs numpy" in answer
    assert "make lab" in answer


def test_a_run_whose_process_is_killed_is_run_again(tmp_path: Path) -> None:
    scenario = read(MINE.replace("hours = 0.5", "hours = 1"), "mine.toml")
    tasks = [RunTask(scenario, seed, ("homing",)) for seed in (1, 2)]
    killed: list[int] = []

    def working() -> list[psutil.Process]:
        return [
            child
            for child in psutil.Process().children()
            if any("spawn_main" in word for word in child.cmdline()) and child.cpu_times().user > 1
        ]

    def kill_one() -> None:
        (child, *_others) = until_blocking(working)
        child.kill()
        killed.append(child.pid)

    killer = threading.Thread(target=kill_one)
    killer.start()
    found = [result.seed for results in gather(tasks, 2, lambda _done: None, lambda _task: True) for result in results]
    killer.join()
    assert killed
    assert sorted(found) == [1, 2]


def test_no_process_outlives_a_report_that_was_killed(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(MINE.replace("hours = 0.5", "hours = 240"))  # longer than anybody waits here
    words = ["lab", "report", "--scenario", str(file), "--workers", "2"]
    report = subprocess.Popen([sys.executable, "-m", "homing.cli", *words], stdout=subprocess.DEVNULL)
    process = psutil.Process(report.pid)

    def runs() -> list[psutil.Process]:
        return [one for one in process.children() if "spawn_main" in " ".join(one.cmdline())]

    try:
        working = until_blocking(
            runs,
            lambda found: len(found) >= 2 and min(process.cpu_times().user for process in found) >= 1.5,
            within_s=240,
        )
    finally:
        report.kill()
        report.wait()
    _gone, left = psutil.wait_procs(working, timeout=20)
    assert not left


# ---- replay


@dataclass(frozen=True)
class Stored:
    environment: Mapping[str, str | None]

    def __call__(self, *words: str, status: int = 0) -> Any:
        out = lab("replay", *words, "--json", status=status, environment=self.environment)
        return json.loads(out) if status == 0 else out


@pytest.fixture(scope="module")
async def stored(postgres: str, tmp_path_factory: pytest.TempPathFactory, worker: str) -> Stored:
    """A network with 600 messages by two carriers, and another where one of them had none."""
    dsn = await migrated_database(postgres, f"homing_lab_{worker}")
    data = tmp_path_factory.mktemp("lab")
    environment = {"HOMING_DATA": str(data), "HOMING_DATABASE_URL": dsn, "COLUMNS": "120", "HOMING_SECRET_KEY": None}

    def homing_does(*words: str) -> None:
        result = CliRunner().invoke(main, words, env=environment)
        assert result.exit_code == 0, (words, result.output)

    def set_up() -> None:
        homing_does("account", "create", "acme")
        for name, cost in (("good", "0.02"), ("cheap", "0.01")):
            homing_does("carrier", "add", name, "--kind", "simulator")
            homing_does("cost", "set", name, "*", cost)
        homing_does("price", "set", "*", "0.05")
        homing_does("route", "set", "good", "--priority", "1")
        homing_does("route", "set", "cheap", "--priority", "2")

    await asyncio.to_thread(set_up)
    connection = await asyncpg.connect(dsn)
    try:
        account = await connection.fetchval("SELECT account_id FROM account WHERE name = 'acme'")
        good, cheap = [
            await connection.fetchval("SELECT carrier_id FROM carrier WHERE name = $1", name)
            for name in ("good", "cheap")
        ]
        first = first_id_at(int(BEGAN.timestamp() * 1000))
        for n in range(700):
            is_far = n >= 600
            carrier = good if is_far or n % 3 else cheap
            await connection.execute(
                """
                INSERT INTO message (account_id, message_id, submission_id, dialect, app_id, request_id, number,
                    country, mcc, mnc, sender, text, encoding, segments, traffic, price_micro, charge_micro, gift_micro,
                    route_id, carrier_id, state, expires_at, sent_at, final_at)
                VALUES ($1, $2, $2, 1, 'app', 'r', $3, $4, $5, $6, 'HOMING', '', 0, 1, 0, 50000, 50000, 0, 1, $7, 3,
                    $8::timestamptz + interval '1 day', $8, $8::timestamptz + interval '5 seconds')
                """,
                account,
                first + n * (5_000 << 12),
                f"63917{n:07d}" if is_far else f"62812{n:07d}",
                "PH" if is_far else "ID",
                "515" if is_far else "510",
                "02" if is_far else "10",
                carrier,
                BEGAN + timedelta(seconds=5 * n),
            )
            if (n % 2 == 0) if carrier == cheap else (n % 10 < 9):
                await connection.execute(
                    """
                    INSERT INTO conversion (account_id, message_id, recorded_at, dialect, credited_to, credited_at,
                        credited_by, carrier_id)
                    VALUES ($1, $2, $3, 1, $2, $3, $2, $4)
                    """,
                    account,
                    first + n * (5_000 << 12),
                    BEGAN + timedelta(seconds=5 * n + 30),
                    carrier,
                )
    finally:
        await connection.close()
    return Stored(environment)


def test_replay_without_a_change_of_what_ran_gives_what_it_was(stored: Stored) -> None:
    found = stored()
    assert found["messages"] == 700
    assert found["cost"] == "12"  # 500 at 0.02, 200 at 0.01
    assert found["would_cost"] == "14"  # by priority all of them go by the good one
    assert found["unknown"] == 0
    good, cheap = sorted(found["carriers"], key=lambda row: row["carrier"], reverse=True)
    assert (good["messages"], cheap["messages"]) == (500, 200)
    assert good["would_messages"] == 700
    assert found["interval"][0] < found["would_conversions"] < found["interval"][1]
    assert found["would_conversions"] == pytest.approx(0.9 * 700, rel=0.02)


def test_replay_by_least_cost_says_where_a_carrier_has_no_data(stored: Stored) -> None:
    found = stored("--strategy", "least-cost")
    assert found["would_cost"] == "7"
    assert found["unknown"] == 100
    assert found["would_conversions"] == pytest.approx(600 * 0.5, abs=3)


def test_replay_under_another_price_list(stored: Stored, tmp_path: Path) -> None:
    costs, prices = tmp_path / "costs.csv", tmp_path / "prices.csv"
    costs.write_text("carrier,prefix,price\ngood,62,0.005\n")
    prices.write_text("prefix,price\n63,0.015\n")
    found = stored("--strategy", "least-cost", "--costs", str(costs), "--prices", str(prices))
    assert found["would_cost"] == "4"  # 600 at 0.005; the 100 others by the cheap one at 0.01
    assert found["would_revenue"] == "31.5"
    assert stored("--prices", str(prices))["unroutable"] == 0


def test_replay_by_the_learner_leaves_the_carrier_that_converts_less(stored: Stored) -> None:
    found = stored("--strategy", "adaptive")
    cheap = next(row for row in found["carriers"] if row["carrier"] == "cheap")
    assert cheap["would_messages"] < 200
    assert found["would_conversions"] > 550


def test_replay_of_no_time_and_of_wrong_files(stored: Stored, tmp_path: Path) -> None:
    found = stored("--until", f"{BEGAN:%Y-%m-%dT%H:%M:%S}")
    assert found["messages"] == 0
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("carrier,price\nx,1\n")
    assert "must name the column prefix" in stored("--costs", str(wrong), status=1)
    wrong.write_text("carrier,prefix,price\nx,1,dear\n")
    assert "wrong.csv:2: 'dear' is not an amount" in stored("--costs", str(wrong), status=1)
    wrong.write_text("carrier,prefix,price\nnobody,1,0.1\n")
    assert "carrier 'nobody' does not exist" in stored("--costs", str(wrong), status=1)


def test_replay_reads_as_prose_too(stored: Stored) -> None:
    said = lab("replay", "--strategy", "least-cost", environment=stored.environment)
    assert "nothing is known" in said
    assert "Would have converted" in said
