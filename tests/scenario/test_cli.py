"""The command line as people and programs meet it: on a real database, and beside a running Homing."""

import asyncio
import fcntl
import itertools
import json
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import termios
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import click
import pytest
from click.testing import CliRunner

import homing
from homing.cli import COMMANDS, main
from homing.common.crypto import Vault, load_key
from tests.support.server import QUEUED, Server, new_database
from tests.support.sink import Sink
from tests.support.waiting import WAIT_S, until

COLUMNS = 100
SIMULATOR = ("--kind", "simulator")


@dataclass(frozen=True)
class Said:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Terminal:
    """Runs commands on one database."""

    environment: Mapping[str, str | None]

    def __call__(self, *words: str, status: int = 0, stdin: str | bytes | None = None) -> Said:
        """In this process. What a command says when it fails is one thing: no traceback, nothing on stdout."""
        result = CliRunner().invoke(main, words, input=stdin, env=dict(self.environment), prog_name="homing")
        said = Said(result.exit_code, result.stdout, result.stderr)
        assert said.status == status, (words, said, result.exception)
        assert not isinstance(result.exception, Exception), result.exception
        return said

    def json(self, *words: str, status: int = 0) -> Any:
        return self(*words, "--json", status=status).json

    async def beside(self, *words: str) -> Said:
        """In this process too, in a thread, for tests that have a loop running."""
        return await asyncio.to_thread(self, *words)

    async def run(self, *words: str | bytes) -> Said:
        """As a process of its own."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HOMING_")}
        given = {name: value for name, value in self.environment.items() if value is not None}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "homing.cli",
            *words,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**kept, **given, "PYTHONPATH": str(Path(homing.__file__).parents[1])},
        )
        out, err = await process.communicate()
        assert process.returncode is not None
        return Said(process.returncode, out.decode(), err.decode())

    def sql(self, statement: str, *values: object) -> list[Any]:
        async def fetch() -> list[Any]:
            connection = await asyncpg.connect(self.environment["HOMING_DATABASE_URL"])
            try:
                rows: list[Any] = await connection.fetch(statement, *values)
                return rows
            finally:
                await connection.close()

        return asyncio.run(fetch())


def environment(data: Path, dsn: str | None) -> dict[str, str | None]:
    return {"HOMING_DATA": str(data), "HOMING_DATABASE_URL": dsn, "COLUMNS": str(COLUMNS), "HOMING_SECRET_KEY": None}


@pytest.fixture(scope="session")
async def terminal(postgres: str, room: Path, worker: str) -> Terminal:
    """Over an empty database: the first command migrates it."""
    return Terminal(environment(room / f"cli-{worker}", await new_database(postgres, f"homing_cli_{worker}")))


@pytest.fixture(scope="session")
def names() -> Iterator[str]:
    return (f"cli-{number}" for number in itertools.count(1))


@pytest.fixture
def account(terminal: Terminal, names: Iterator[str]) -> str:
    """The name of a new account."""
    name = next(names)
    terminal("account", "create", name)
    return name


def lines(text: str) -> list[list[str]]:
    """A table's rows as words, without its head."""
    return [line.split() for line in text.splitlines()[2:]]


# --- help -------------------------------------------------------------------------------------------------------


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            found = command.get_command(click.Context(command), name)
            assert found is not None
            yield from commands(found, (*path, name))


EVERY = dict(commands(main))
SIMULATED = {("lab", verb) for verb in ("report", "run", "resend", "scenarios", "generate")}  # these need no database


@pytest.mark.parametrize("path", [path for path in EVERY if path], ids=" ".join)
def test_every_command_teaches_with_examples_that_parse(
    path: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prices.csv").touch()
    (tmp_path / "test.json").write_text("{}")
    _before, example, after = (EVERY[path].help or "").partition("Example:")
    assert example
    shown = re.findall(r"(?:^|\s)homing (.+)$", after, re.MULTILINE)
    assert shown
    for line in shown:
        words = shlex.split(line)
        depth = max(n for n in (1, 2, 3) if tuple(words[:n]) in EVERY)
        command = EVERY[tuple(words[:depth])]
        assert not isinstance(command, click.Group), line
        command.make_context(line, words[depth:])  # raises what a user would be told


@pytest.mark.parametrize("path", [path for path, command in EVERY.items() if isinstance(command, click.Group)])
def test_no_line_of_help_is_cut_off_in_a_window_of_80(path: tuple[str, ...]) -> None:
    said = CliRunner().invoke(main, [*path, "--help"], prog_name="homing", env={"COLUMNS": "80"}).stdout
    assert said.count("...") == said.count("[ARGS]...") == 1, said


@pytest.mark.parametrize("path", [path for path, command in EVERY.items() if not isinstance(command, click.Group)])
def test_every_command_that_answers_takes_data_and_json(path: tuple[str, ...]) -> None:
    options = {option for parameter in EVERY[path].params for option in parameter.opts}
    assert "--data" in options or path in SIMULATED
    assert "--json" in options or path in {("serve",), ("migrate",), ("lab", "generate")}


def test_the_first_page_names_every_command_and_imports_nothing_heavy() -> None:
    program = (
        "import sys; from homing.cli import main; main(['--help'], standalone_mode=False);"
        "print(sorted({'asyncpg', 'rich', 'msgspec', 'cryptography'} & set(sys.modules)))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(homing.__file__).parents[1]), "COLUMNS": "80"},
    ).stdout
    assert all(f"\n  {name} " in said and line in said for name, (_module, line) in COMMANDS.items()), said
    assert said.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "loaded",
    ["import homing.app.smpp_role", "import homing.cli; homing.cli.main(['account', '-h'], standalone_mode=False)"],
    ids=["role", "command"],
)
def test_neither_a_role_nor_a_command_that_draws_nothing_imports_rich(loaded: str) -> None:
    said = subprocess.run(
        [sys.executable, "-c", f"{loaded}; import sys; print('structlog' in sys.modules, 'rich' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(homing.__file__).parents[1])},
    ).stdout
    assert said.splitlines()[-1] == "True False"


# --- accounts ---------------------------------------------------------------------------------------------------


def test_an_account_is_named_by_id_or_by_name(terminal: Terminal, names: Iterator[str]) -> None:
    name = next(names)
    made = terminal.json("account", "create", name, "--credit", "12.5", "--email", f"{name}@example.com")
    by_name, by_id = terminal.json("account", "show", name), terminal.json("account", "show", str(made["account_id"]))
    assert by_name == by_id
    assert by_name["name"] == name
    assert by_name["email"] == f"{name}@example.com"
    assert (by_name["balance"], by_name["gift"], by_name["credit"], by_name["available"]) == ("0", "0", "12.5", "12.5")
    assert by_name["credentials"] == by_name["apps"] == by_name["senders"] == by_name["templates"] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("account", "show", "nobody"), "account 'nobody' does not exist"),
        (("account", "show", "9" * 40), "does not exist"),
        (("account", "create", "7"), "is not a valid account name"),
        (("account", "create", "x y"), "is not a valid account name"),
        (("account", "create", "fresh", "--email", "nobody"), "is not a valid email address"),
        (("account", "create", "fresh", "--credit", "-1"), "the credit limit must be 0 or more"),
        (("message", "show", "12"), "message 12 does not exist"),
        (("push", "replay", "12"), "push 12 does not exist"),
        (("route", "remove", "999999"), "route 999999 does not exist"),
        (("route", "set", "nobody"), "carrier 'nobody' does not exist"),
        (("carrier", "enable", "nobody"), "carrier 'nobody' does not exist"),
        (("carrier", "add", "x", *SIMULATOR, "--settings", '{"sed": 1}'), "unknown field `sed`"),
        (("carrier", "add", "x", *SIMULATOR, "--settings", "{"), "settings of a simulator carrier"),
        (("price", "set", "1", "-0.1"), "the price must be 0 or more"),
        (("price", "remove", "12345"), "no price for prefix 12345"),
        (("word", "add", " "), "at least one visible character"),
        (("word", "remove", "nothing"), "is not on this list"),
        (("app", "set", "nothing", "--report-url", ""), "does not exist"),
        (("credential", "revoke", "nothing"), "no active credential"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_done_is_one_line_on_stderr_and_status_1(
    terminal: Terminal, words: tuple[str, ...], said: str
) -> None:
    answer = terminal(*words, "--json", status=1)
    assert answer.out == ""
    assert answer.err.count("\n") == 1
    assert answer.err.startswith("Error: ")
    assert said in answer.err
    assert "fresh" not in terminal("account", "list").out, "a refused account was made all the same"


@pytest.mark.parametrize(
    "words",
    [
        ("acount",),
        ("account",),
        ("account", "create"),
        ("account", "set", "ACCOUNT"),
        ("account", "set", "ACCOUNT", "--allow", "::1", "--allow-any"),
        ("account", "set", "ACCOUNT", "--retention-days", "3", "--keep-for-ever"),
        ("account", "set", "ACCOUNT", "--queries-per-s", "0"),
        ("app", "set", "x"),
        ("topup", "ACCOUNT", "1e-7"),
        ("topup", "ACCOUNT", "nan"),
        ("adjust", "ACCOUNT", "5"),
        ("adjust", "ACCOUNT", "--resaon", "x"),
        ("price", "set", "086", "1"),
        ("price", "import", "/nowhere.csv"),
        ("carrier", "add", "x", *SIMULATOR, "--settings", "@/nowhere.json"),
        ("message", "show", "x"),
        ("message", "show", str(2**53)),
        ("message", "list", "--number", "many"),
        ("route", "set", "x", "--weight", "0"),
    ],
    ids=" ".join,
)
def test_what_is_not_a_command_is_status_2(terminal: Terminal, account: str, words: tuple[str, ...]) -> None:
    answer = terminal(*(account if word == "ACCOUNT" else word for word in words), status=2)
    assert answer.out == ""
    assert "Usage: homing" in answer.err


def test_settings_change_one_by_one_and_the_others_stay(terminal: Terminal, account: str) -> None:
    terminal("sender", "add", account, "ACME")
    terminal("account", "set", account, "--allow", "10.1.2.3/8", "--allow", "::1", "--queries-per-s", "7")
    terminal("account", "set", account, "--templates-required", "--refund-undeliverable", "--retention-days", "30")
    terminal("account", "set", account, "--default-sender", "ACME", "--credit", "3", "--email", f"{account}@x.example")
    shown = terminal.json("account", "show", account)
    assert shown["allowed_networks"] == ["10.0.0.0/8", "::1/128"]
    assert (shown["queries_per_s"], shown["retention_days"], shown["credit"]) == (7, 30, "3")
    assert shown["templates_required"] is shown["refund_undeliverable"] is True
    assert (shown["default_sender"], shown["email"]) == ("ACME", f"{account}@x.example")
    terminal("account", "set", account, "--allow-any", "--keep-for-ever", "--email", "", "--default-sender", "")
    shown = terminal.json("account", "show", account)
    assert shown["allowed_networks"] == []
    assert shown["retention_days"] is shown["email"] is shown["default_sender"] is None
    assert shown["templates_required"] is True


def test_what_a_customer_may_do_over_smpp_is_set_and_shown(terminal: Terminal, account: str) -> None:
    shown = terminal.json("account", "show", account)
    assert (shown["binds_max"], shown["bind_window"], shown["submits_per_s"], shown["binds"]) == (8, 500, 1_000, [])
    terminal("account", "set", account, "--binds-max", "2", "--bind-window", "50", "--submits-per-s", "100")
    shown = terminal.json("account", "show", account)
    assert (shown["binds_max"], shown["bind_window"], shown["submits_per_s"]) == (2, 50, 100)
    terminal("account", "set", account, "--submits-per-s", "0")
    assert terminal.json("account", "show", account)["submits_per_s"] is None
    assert shown["smpp_charset"] == "gsm7"
    terminal("account", "set", account, "--smpp-charset", "latin-1")
    assert terminal.json("account", "show", account)["smpp_charset"] == "latin-1"
    terminal("account", "set", account, "--smpp-charset", "ebcdic", status=2)
    made = terminal.json("credential", "create", account, "--dialect", "smpp")
    assert made["dialect"] == "smpp"
    assert (len(made["key"]), len(made["secret"])) == (8, 8)
    long = terminal("credential", "create", account, "--dialect", "smpp", "--secret", "nine char", status=1)
    assert "at most 8 characters" in long.err


def test_another_accounts_email_and_an_unknown_sender_are_refused(
    terminal: Terminal, account: str, names: Iterator[str]
) -> None:
    other = next(names)
    terminal("account", "create", other, "--email", f"{other}@example.com")
    taken = terminal("account", "set", account, "--email", f"{other}@example.com", "--credit", "5", status=1)
    assert "belongs to another account" in taken.err
    assert "no sender ID 'NOPE'" in terminal("account", "set", account, "--default-sender", "NOPE", status=1).err
    shown = terminal.json("account", "show", account)
    assert (shown["email"], shown["default_sender"], shown["credit"]) == (None, None, "0")


def test_a_lock_is_kept_with_its_reason(terminal: Terminal, account: str) -> None:
    terminal("account", "lock", account, "--reason", "unpaid")
    shown = terminal.json("account", "show", account)
    assert shown["locked_at"] is not None
    assert shown["lock_reason"] == "unpaid"
    terminal("account", "unlock", account)
    assert terminal.json("account", "show", account)["locked_at"] is None


def test_a_secret_that_can_be_guessed_is_refused_unless_it_is_said_to_be_in_use(
    terminal: Terminal, account: str
) -> None:
    for dialect in ("lia", "laaffic"):
        assert len(terminal.json("credential", "create", account, "--dialect", dialect)["secret"]) == 16
        named = ("credential", "create", account, "--dialect", dialect, "--key", f"{account}-{dialect}")
        refused = terminal(*named, "--secret", "password@123", status=1)
        assert "shorter than 16 characters can be guessed" in refused.err
        assert terminal.json(*named, "--secret", "password@123", "--short-secret")["secret"] == "password@123"
    refused = terminal("credential", "create", account, "--dialect", "smpp", "--secret", "short", status=1)
    assert "shorter than 8 characters can be guessed" in refused.err


def test_a_secret_is_shown_once_and_kept_sealed(terminal: Terminal, account: str) -> None:
    said = terminal("credential", "create", account, "--dialect", "laaffic", "--label", "shop").out
    values = dict(line.split(maxsplit=1) for line in said.splitlines()[:5])
    assert "shown only once" in said
    assert values["Secret"] not in terminal("credential", "list", account).out
    assert values["Secret"] not in terminal("account", "show", account).out
    (row,) = terminal.sql("SELECT secret FROM credential WHERE key = $1", values["Key"])
    key = load_key("", Path(terminal.environment["HOMING_DATA"] or "") / "secret.key")
    assert Vault(key).open(row["secret"]) == values["Secret"]
    (listed,) = terminal.json("credential", "list", account)
    assert (listed["dialect"], listed["key"], listed["label"]) == ("laaffic", values["Key"], "shop")


def test_a_credential_is_revoked_by_its_key_or_its_id_and_never_two_at_once(terminal: Terminal, account: str) -> None:
    by_key = terminal.json("credential", "create", account, "--dialect", "lia", "--key", f"key-{account}")
    by_id = terminal.json("credential", "create", account, "--dialect", "laaffic", "--key", f"key-{account}")
    alike = terminal.json("credential", "create", account, "--dialect", "lia", "--key", str(by_id["credential_id"]))
    assert (
        "is already in use"
        in terminal("credential", "create", account, "--dialect", "lia", "--key", by_key["key"], status=1).err
    )
    assert "is ambiguous" in terminal("credential", "revoke", by_key["key"], status=1).err
    assert "is ambiguous" in terminal("credential", "revoke", alike["key"], status=1).err
    assert terminal.json("credential", "revoke", by_key["key"], "--dialect", "lia")["dialect"] == "lia"
    assert terminal.json("credential", "revoke", alike["key"], "--dialect", "lia")["dialect"] == "lia"
    assert terminal.json("credential", "revoke", str(by_id["credential_id"]))["dialect"] == "laaffic"
    assert all(one["revoked_at"] for one in terminal.json("credential", "list", account))


def test_apps_senders_templates_and_words_are_added_listed_and_removed(terminal: Terminal, account: str) -> None:
    app = terminal.json("app", "create", account, "shop", "--report-url", "https://a.example/r")["app_id"]
    terminal("app", "set", app, "--inbound-url", "http://a.example/i", "--report-url", "")
    (listed,) = terminal.json("app", "list", account)
    assert (listed["report_url"], listed["inbound_url"]) == (None, "http://a.example/i")
    assert "not a valid http" in terminal("app", "set", app, "--report-url", "ftp://a.example", status=1).err
    assert (listed["expects"], listed["reports_conversions"]) == ("detect", None)
    assert "detect: not enough traffic" in terminal("app", "list", account).out
    for said in ("yes", "no", "detect"):
        terminal("app", "set", app, "--expects-conversions", said)
        assert terminal.json("app", "list", account)[0]["expects"] == said
    assert terminal.json("account", "show", account)["apps"][0]["expects"] == "detect"

    terminal("sender", "add", account, "FIRST")
    terminal("sender", "add", account, "SECOND")
    assert [one["is_default"] for one in terminal.json("sender", "list", account)] == [True, False]
    terminal("sender", "add", account, "THIRD", "--default")
    terminal("sender", "remove", account, "THIRD")
    assert {one["sender"]: one["is_default"] for one in terminal.json("sender", "list", account)} == {
        "FIRST": True,
        "SECOND": False,
    }

    first = terminal.json("template", "add", account, "code", "Your code is {V1}.")["template_id"]
    terminal("template", "add", account, "bye", "Bye.")
    assert "not only digits" in terminal("template", "add", account, "12", "x", status=1).err
    terminal("template", "remove", account, str(first))
    terminal("template", "remove", account, "bye")
    assert terminal.json("template", "list", account) == []

    terminal("word", "add", f"loan {account}", "--account", account)
    assert {"word": f"loan {account}", "account": account} in [
        {"word": one["word"], "account": one["account"]} for one in terminal.json("word", "list", "--account", account)
    ]
    terminal("word", "remove", f"loan {account}", "--account", account)
    assert not [one for one in terminal.json("word", "list") if account in one["word"]]


# --- money ------------------------------------------------------------------------------------------------------


def test_money_moves_up_and_down_and_the_ledger_tells_it(terminal: Terminal, account: str) -> None:
    assert terminal.json("topup", account, "10", "--author", "ann")["balance"] == "10"
    assert terminal.json("topup", account, "0.5", "--gift")["gift"] == "0.5"
    assert terminal.json("adjust", account, "-1.5", "--reason", "oops")["balance"] == "8.5"
    terminal("adjust", account, "--reason", "oops", "--", "-0.25")
    shown = terminal.json("ledger", "show", account)
    assert (shown["balance"], shown["gift"]) == ("8.25", "0.5")
    told = [(one["kind"], one["source"], one["destination"], one["amount"]) for one in shown["postings"]]
    assert told == [
        ("adjustment", "balance", "adjustment", "0.25"),
        ("adjustment", "balance", "adjustment", "1.5"),
        ("gift", "promotion", "gift", "0.5"),
        ("topup", "funding", "balance", "10"),
    ]
    assert [one["author"] for one in shown["postings"]][-1] == "ann"
    assert all(one["author"] and one["reason"] for one in shown["postings"])
    assert len(terminal.json("ledger", "show", account, "--limit", "2")["postings"]) == 2


def test_a_gift_is_not_adjusted_below_zero(terminal: Terminal, account: str) -> None:
    said = terminal("adjust", account, "-.000001", "--gift", "--reason", "oops", status=1)
    assert "insufficient bonus balance" in said.err
    assert terminal.json("ledger", "show", account)["postings"] == []


def test_taking_more_than_balance_and_credit_hold_needs_a_word(terminal: Terminal, account: str) -> None:
    terminal("topup", account, "20")
    terminal("account", "set", account, "--credit", "50")
    said = terminal("adjust", account, "-1000", "--reason", "typo", status=1)
    assert "would exceed the account's credit limit: add --force" in said.err
    assert terminal.json("ledger", "show", account)["balance"] == "20"
    assert terminal.json("adjust", account, "-70", "--reason", "all of it")["balance"] == "-50"
    assert terminal.json("adjust", account, "10", "--reason", "a part back")["balance"] == "-40"
    assert terminal.json("adjust", account, "-1000", "--reason", "meant", "--force")["balance"] == "-1040"
    assert terminal.json("adjust", account, "1", "--reason", "upwards from below is no question")["balance"] == "-1039"


def test_what_will_not_work_is_said_on_stderr_when_it_is_set(terminal: Terminal, account: str) -> None:
    said = terminal("sender", "add", account, "TOO LONG SENDER NAME")
    assert "Sender ID " in said.out
    assert said.err.startswith("Warning: an alphanumeric sender ID can have at most 11 GSM characters")
    name, long = f"long-{account}", "0123456789abcdef"
    settings = {"host": "127.0.0.1", "system_id": long, "password": long, "window": 5}
    said = terminal("carrier", "add", name, "--kind", "smpp", "--settings", json.dumps(settings))
    assert [line.partition(";")[0] for line in said.err.splitlines()] == [
        "Warning: system_id has 16 characters",
        "Warning: password has 16 characters",
    ]
    assert terminal("carrier", "set", name, "--settings", '{"window": 6}').err == ""
    said = terminal("carrier", "set", name, "--settings", json.dumps({"password": long[:9]}))
    assert said.err.startswith("Warning: password has 9 characters")
    assert long[:9] not in said.err
    assert terminal.json("carrier", "show", name)["carries_flash"] is True
    terminal("carrier", "set", name, "--settings", '{"flash": false}')
    assert terminal.json("carrier", "show", name)["carries_flash"] is False
    terminal("carrier", "disable", name)
    assert terminal("sender", "add", account, "ACME").err == ""
    app_id = terminal.json("app", "create", account, "inside", "--report-url", "http://10.0.0.1/x")["app_id"]
    said = terminal("app", "set", app_id, "--inbound-url", "http://192.168.0.9/")
    assert "192.168.0.9 is not a public address" in said.err
    assert terminal("app", "set", app_id, "--inbound-url", "https://example.com/").err == ""
    assert "{X} is not a variable" in terminal("template", "add", account, "t", "no vars {X}").err
    assert (
        "10.1.2.3 is not a public address" in terminal("guard", "alert", "http://10.1.2.3/", "--account", account).err
    )


def test_two_apps_of_an_account_do_not_share_a_name(terminal: Terminal, account: str, names: Iterator[str]) -> None:
    terminal("app", "create", account, "shop")
    assert "already has an app named 'shop'" in terminal("app", "create", account, "shop", status=1).err
    other = next(names)
    terminal("account", "create", other)
    terminal("app", "create", other, "shop")


@pytest.mark.parametrize("command", ["serve", "migrate"])
def test_a_data_folder_that_cannot_be_made_is_one_line(command: str) -> None:
    nowhere = Terminal(environment(Path("/proc/homing"), None))
    said = nowhere(command, status=1)
    assert "/proc/homing" in said.err
    assert len(said.err.strip().splitlines()) == 1


def test_a_misspelt_command_is_answered_with_the_nearest_one(terminal: Terminal) -> None:
    assert "Did you mean 'account'?" in terminal("acount", "list", status=2).err
    assert "Did you mean 'list'?" in terminal("account", "lst", status=2).err
    assert "Did you mean" not in terminal("qqqq", status=2).err


def test_the_version_is_told(terminal: Terminal) -> None:
    assert terminal("--version").out.startswith("homing 0.")


def test_what_is_no_message_id_is_answered_in_words(terminal: Terminal) -> None:
    assert "'abc' is not a message ID" in terminal("message", "show", "abc", status=2).err
    assert "is not a message ID" in terminal("message", "show", str(2**53), status=2).err
    assert "is not a message ID" in terminal("message", "show", "9" * 5000, status=2).err


def test_what_is_no_number_is_answered_in_words(terminal: Terminal) -> None:
    assert "'abc' is not a valid whole number" in terminal("receipt", "show", "abc", status=2).err
    assert "'x' is not a valid whole number" in terminal("message", "list", "--limit", "x", status=2).err
    assert "'x' is not a valid number" in terminal("learn", "set", "--explore", "x", status=2).err


def test_a_wrong_setting_of_a_carrier_is_answered_with_those_there_are(terminal: Terminal) -> None:
    said = terminal("carrier", "add", "typo", *SIMULATOR, "--settings", '{"sed": 1}', status=1)
    assert "unknown field `sed`" in said.err
    assert "Known settings: submit_ms, " in said.err
    assert " seed," in said.err


def test_a_command_without_a_data_folder_makes_no_database(tmp_path: Path) -> None:
    elsewhere = Terminal(environment(tmp_path / "data", None))
    said = elsewhere("account", "create", "acme", status=1)
    assert "there is no Homing in" in said.err
    assert "--data or HOMING_DATA" in said.err
    assert not (tmp_path / "data").exists()


def test_a_secret_is_not_sealed_with_a_key_that_nobody_else_has(
    terminal: Terminal, account: str, tmp_path: Path
) -> None:
    terminal("credential", "create", account, "--dialect", "lia")
    astray = Terminal({**terminal.environment, "HOMING_DATA": str(tmp_path / "data")})
    said = astray("credential", "create", account, "--dialect", "lia", status=1)
    assert "the key of this database's secrets is not in" in said.err
    assert not (tmp_path / "data").exists()


def test_the_proof_fails_on_a_difference_of_one_micro_unit(terminal: Terminal, account: str) -> None:
    terminal("topup", account, "10")
    proof = terminal.json("ledger", "prove", account)
    assert proof == {"accounts": 1, "postings": 1, "messages": 0, "holds": True, "differences": []}
    account_id = terminal.json("account", "show", account)["account_id"]
    terminal.sql("UPDATE balance SET balance_micro = balance_micro + 1 WHERE account_id = $1", account_id)
    try:
        proof = terminal.json("ledger", "prove", status=3)
        assert proof["holds"] is False
        assert proof["differences"] == [
            {
                "account_id": account_id,
                "what": "balance",
                "recorded": "10.000001",
                "computed": "10",
                "difference": "0.000001",
            }
        ]
        assert "0.000001" in terminal("ledger", "prove", account, status=3).out
    finally:
        terminal.sql("UPDATE balance SET balance_micro = balance_micro - 1 WHERE account_id = $1", account_id)
    terminal("ledger", "prove")


# --- prices, carriers, routes -----------------------------------------------------------------------------------


def prices_of(terminal: Terminal, account: str) -> dict[str, str]:
    listed = terminal.json("price", "list", "--account", account)
    return {one["prefix"]: one["price"] for one in listed if one["account"] == account}


def test_prices_are_set_and_removed_by_prefix(terminal: Terminal, account: str) -> None:
    for prefix, amount in (("86", "0.031"), ("*", "0.02"), ("", "0.03"), ("1", "0")):
        terminal("price", "set", prefix, amount, "--account", account)
    assert prices_of(terminal, account) == {"*": "0.03", "1": "0", "86": "0.031"}
    terminal("price", "remove", "*", "--account", account)
    assert prices_of(terminal, account) == {"1": "0", "86": "0.031"}


def test_a_price_list_is_imported_whole(terminal: Terminal, account: str, tmp_path: Path) -> None:
    file = tmp_path / "prices.csv"
    file.write_text("Country;,Price,prefix\r\nChina,0.031,86\r\n\r\nrest,.02,*\r\n", encoding="utf-8-sig")
    terminal("price", "set", "33", "1", "--account", account)
    assert terminal.json("price", "import", str(file), "--account", account)["prices"] == 2
    assert prices_of(terminal, account) == {"*": "0.02", "33": "1", "86": "0.031"}
    terminal("price", "import", "-", "--account", account, "--replace", stdin='prefix,price\n"86",0.04\n')
    assert prices_of(terminal, account) == {"86": "0.04"}
    for sheet in ("Country;Price;Prefix\r\nA, B and C;0.05;86\r\n", "prefix\tprice\n86\t0.05\n"):
        terminal("price", "import", "-", "--account", account, "--replace", stdin=sheet)
        assert prices_of(terminal, account) == {"86": "0.05"}


def test_an_import_tells_every_bad_line_and_changes_nothing(terminal: Terminal, account: str) -> None:
    terminal("price", "set", "33", "1", "--account", account)
    rows = ["prefix,price", "86,0.031", "01,0.1", "91,cheap", "44", "86,0.04", "49,-1", "7,0.0000001", "61,0.05"]
    said = terminal("price", "import", "-", "--account", account, "--replace", stdin="\n".join(rows), status=1)
    told = [line.split(":")[1] for line in said.err.splitlines()[1:]]
    assert told == ["3", "4", "5", "6", "7", "8"]
    assert prices_of(terminal, account) == {"33": "1"}


@pytest.mark.parametrize(
    ("sheet", "said"),
    [
        (b"", "the header must contain the column prefix and price exactly once"),
        (b"86,0.031\n", "the header must contain the column prefix and price exactly once"),
        (b"prefix,price,price\n1,2,3\n", "the header must contain the column price exactly once"),
        (b"prefix,price\n\xff\xfe,1\n", "is not UTF-8 text"),
        (b'prefix,price\n"86,1\n', ":2: "),
        (b"prefix,price\n86\x00,1\n", ":2: "),
    ],
    ids=["empty", "no header", "two prices", "not text", "open quote", "NUL"],
)
def test_a_file_that_is_no_price_list_is_refused(terminal: Terminal, sheet: bytes, said: str) -> None:
    answer = terminal("price", "import", "-", stdin=sheet, status=1)
    assert said in answer.err
    assert "Traceback" not in answer.err


def test_carriers_and_routes_are_set_up(terminal: Terminal, account: str, tmp_path: Path) -> None:
    settings = tmp_path / "settings.json"
    settings.write_text('{"seed": 7}', encoding="utf-8-sig")
    carrier = f"carrier-{account}"
    terminal("carrier", "add", carrier, *SIMULATOR, "--settings", f"@{settings}")
    assert "already" in terminal("carrier", "add", carrier, *SIMULATOR, status=1).err
    terminal("carrier", "disable", carrier)
    (listed,) = [one for one in terminal.json("carrier", "list") if one["name"] == carrier]
    assert (listed["kind"], listed["enabled"], listed["settings"]) == ("simulator", False, {"seed": 7})
    terminal("carrier", "enable", carrier)
    route = terminal.json("route", "set", carrier, "--prefix", "86", "--account", account)["route_id"]
    again = terminal.json("route", "set", carrier, "--prefix", "86", "--account", account, "--priority", "2")
    assert again["route_id"] == route
    (shown,) = [one for one in terminal.json("route", "list", "--account", account) if one["account"] == account]
    assert (shown["carrier"], shown["prefix"], shown["priority"], shown["enabled"]) == (carrier, "86", 2, True)
    terminal("route", "remove", str(route))
    assert not [one for one in terminal.json("route", "list") if one["account"] == account]


def test_a_carriers_settings_are_changed_one_by_one_and_its_secrets_are_never_shown(terminal: Terminal) -> None:
    settings = {"host": "127.0.0.1", "port": 2776, "system_id": "homing", "password": "s3cret-w", "window": 20}
    terminal("carrier", "add", "uplink", "--kind", "smpp", "--settings", json.dumps(settings))
    terminal("carrier", "disable", "uplink")
    terminal("carrier", "set", "uplink", "--settings", '{"window": 50, "port": 2777}')
    shown = terminal.json("carrier", "show", "uplink")
    assert (shown["settings"]["window"], shown["settings"]["port"]) == (50, 2777)
    assert shown["settings"]["system_id"] == "homing"
    assert shown["state"] is None, "no process runs it"
    terminal("carrier", "set", "uplink", "--settings", '{"window": null}')
    assert "window" not in terminal.json("carrier", "show", "uplink")["settings"]
    for said in (terminal("carrier", "show", "uplink"), terminal("carrier", "list")):
        assert "s3cret-w" not in said.out
    refused = terminal("carrier", "set", "uplink", "--settings", '{"window": 0}', status=1)
    assert "window" in refused.err
    assert "s3cret-w" not in refused.err


def test_costs_order_the_carriers_and_the_explanation_says_why(terminal: Terminal, tmp_path: Path) -> None:
    for name in ("dear", "cheap", "loss"):
        terminal("carrier", "add", name, *SIMULATOR)
        terminal("route", "set", name, "--prefix", "4399", "--strategy", "least-cost")
    terminal("price", "set", "4399", "0.05")
    sheet = tmp_path / "costs.csv"
    sheet.write_text("prefix,price,note\n4399,0.04,x\n43,0.01,\n")
    terminal("cost", "import", "dear", str(sheet))
    terminal("cost", "set", "cheap", "4399", "0.03")
    terminal("cost", "set", "loss", "4399", "0.06")
    told = terminal.json("route", "explain", "439912345678")
    assert [(one["carrier"], one["order"], one["cost"]) for one in told["candidates"]] == [
        ("cheap", 1, "0.03"),
        ("dear", 2, "0.04"),
        ("loss", None, "0.06"),
    ]
    verdicts = [one["verdict"] for one in told["candidates"]]
    assert verdicts[:2] == ["cheapest", "0.01 more than the cheapest"]
    assert "above the ceiling of 0.05" in verdicts[2]
    terminal("route", "set", "loss", "--prefix", "4399", "--ceiling", "0.07")
    assert [one["order"] for one in terminal.json("route", "explain", "439912345678")["candidates"]] == [1, 2, 3]
    terminal("cost", "remove", "loss", "4399")
    assert {one["carrier"] for one in terminal.json("cost", "list")} == {"dear", "cheap"}
    assert "no cost" in terminal("cost", "remove", "loss", "4399", status=1).err
    assert terminal.json("route", "explain", "10000000000")["is_refused"]


def test_a_route_names_one_place_and_an_app_of_its_account(terminal: Terminal, account: str) -> None:
    terminal("carrier", "add", "placed", *SIMULATOR)
    refused = terminal("route", "set", "placed", "--prefix", "43", "--country", "AT", status=1)
    assert "only one of them" in refused.err
    assert "does not exist" in terminal("route", "set", "placed", "--app", "nowhere", status=1).err
    said = terminal.json(
        "route", "set", "placed", "--network", "232-01", "--traffic", "promotional", "--account", account
    )
    (row,) = [one for one in terminal.json("route", "list") if one["route_id"] == said["route_id"]]
    assert (row["network"], row["traffic"], row["account"]) == ("23201", "promotional", account)


# --- a running Homing beside it ---------------------------------------------------------------------------------


async def answered(ask: Callable[[], Awaitable[Said]], enough: Callable[[Any], bool]) -> Any:
    return (await until(ask, lambda said: enough(said.json))).json


async def test_a_messages_whole_story_is_told_in_order(server: Server, sink: Sink) -> None:
    box = sink.box(500, 200)
    terminal = Terminal(environment(server.data, server.dsn))
    account = await server.account(balance="1", gifted="0.02", report_url=box.url)
    reply = await server.client.laaffic(
        account,
        "POST",
        "/v3/sendSms",
        body={
            "appId": account.app,
            "numbers": "+8613800130001,8613800130002",
            "content": "Your code is 1\x1b[31m23",
            "senderId": "SHOP",
            "orderId": "o1,o2",
        },
    )
    message_id = reply.json["array"][0]["msgId"]
    await box.first(2)
    tracked = await server.client.lia(account, "CTrack", message_id=message_id, status="true")
    assert tracked.json["ErrorCode"] == 1000

    shown = await answered(
        lambda: terminal.beside("message", "show", message_id, "--json"),
        lambda shown: any("answered with HTTP 200" in one["detail"] for one in shown["timeline"]),
    )
    assert (shown["message_id"], shown["state"], shown["reference"]) == (int(message_id), "delivered", "o1")
    assert (shown["charge"], shown["refund"]) == ("0.031", "0")
    told = [(one["what"], one["detail"]) for one in shown["timeline"]]
    what = list(dict.fromkeys(word.split()[0] for word, _detail in told))
    expected = ["submitted", "number", "sender", "text", "price", "route", "charge", "attempt", "sent", "receipt"]
    assert [word for word in what if word in expected] == expected
    assert what.index("delivered") > what.index("receipt")
    said = dict(reversed(told))
    assert said["submitted"].startswith(f"through laaffic, app {account.name} ({account.app}), request ")
    assert "submitted as '+8613800130001'" in said["number"]
    assert said["sender ID"] == "HOMING, replaces 'SHOP': not registered to the account"
    assert said["price"] == "0.031 per segment × 1 = 0.031 USD, of which 0.02 from the bonus balance"
    assert f"for the whole submission {message_id}" in said["charge"]
    assert "accepted by" in said["attempt 1"]
    assert "reports delivered; raw: id:" in said["receipt"]
    assert said["converted"].startswith("conversion reported through lia")
    assert len([detail for word, detail in told if word == "charge"]) == 2, "one from each book"

    mine = ("--account", account.name, "--since", "2h", "--json")
    (line,) = (await terminal.beside("stats", "--by", "app", *mine)).json
    assert (line["key"], line["submitted"], line["delivered"], line["converted"]) == (account.app, 2, 1, 1)
    assert (line["revenue"], line["cost"], line["converted_rate"]["mean"]) == ("0.062", "0", 0.5)
    assert line["receipt_s"] > 0
    for by in ("country", "network", "carrier", "account", "prefix", "sender", "minute", "hour", "day"):
        lines = (await terminal.beside("stats", "show", "--by", by, *mine)).json
        assert sum(each["submitted"] for each in lines) == 2, by
    assert (await terminal.beside("stats", "prove", account.name, "--json")).json["holds"]

    people = await terminal.run("message", "show", message_id)
    assert people.status == 0
    assert "\x1b" not in people.out, "a customer's text steers the terminal"
    assert max(map(len, people.out.splitlines())) <= COLUMNS


async def test_statistics_that_are_one_off_fail_their_proof(server: Server) -> None:
    """The one process that adds up is the server's: what was sent is in the kept figures within the minute."""
    terminal = Terminal(environment(server.data, server.dsn))
    account = await server.account(balance="1")
    await server.client.laaffic(
        account, "POST", "/v3/sendSms", body={"appId": account.app, "numbers": "8613800130001", "content": "Your code"}
    )

    async def taken_out() -> int:
        rows = await server.query("SELECT FROM stat_delta AS d JOIN app USING (app_id) WHERE app_id = $1", account.app)
        return len(rows)

    await until(taken_out, lambda count: count == 0)
    assert (await terminal.beside("stats", "prove", account.name)).status == 0
    await server.query(
        "INSERT INTO stat_pending SELECT account_id, 29000000, cell_id, 1, 0, 0, 0, 0, 0, 0, 0, -1, -1 FROM stat_cell"
        " JOIN account USING (account_id) WHERE name = $1 LIMIT 1",
        account.name,
    )
    try:
        said = await asyncio.to_thread(terminal.json, "stats", "prove", account.name, status=3)
    finally:
        await server.query("DELETE FROM stat_pending WHERE minute = 29000000")
        await server.query("DELETE FROM stat WHERE period * grain <= 29000000 AND period * grain > 29000000 - 1440")
    assert not said["holds"]
    assert {(one["figure"], one["recorded"], one["counted"]) for one in said["differences"]} == {("submitted", 1, 0)}


async def test_what_waits_and_what_failed_is_told_too(server: Server, sink: Sink) -> None:
    terminal = Terminal(environment(server.data, server.dsn))
    account = await server.account()
    box = sink.box(404)

    async def send(number: str) -> str:
        reply = await server.client.lia(
            account,
            "SendSMS",
            sms_type="T",
            encoding="T",
            sender_id=account.sender,
            phonenumber=number,
            textmessage="hello",
            callback_url=box.url,
        )
        (one,) = reply.json if isinstance(reply.json, list) else [reply.json]
        return str(one["message_id"])

    refused, silent, queued = await send("8613800130003"), await send("8613800130005"), await send(f"{QUEUED}1234567")

    def showing(message_id: str) -> Callable[[], Awaitable[Said]]:
        return lambda: terminal.beside("message", "show", message_id, "--json")

    def details(shown: Any, what: str) -> str:
        return "\n".join(one["detail"] for one in shown["timeline"] if one["what"] == what)

    shown = await answered(
        showing(refused), lambda s: any("answered with HTTP 404" in one["detail"] for one in s["timeline"])
    )
    assert shown["state"] == "rejected"
    assert "refused by" in details(shown, "attempt 1")
    assert "refunded" in details(shown, "rejected")
    assert "from sales to balance" in details(shown, "refund")
    shown = await answered(showing(silent), lambda s: s["state"] == "sent")
    assert details(shown, "due") == "expires unless a receipt arrives first"
    shown = await answered(showing(queued), lambda s: s["state"] == "queued")
    assert details(shown, "due").startswith("queued for unusable (lane ")

    listed = (await terminal.beside("message", "list", "--account", account.name, "--json")).json
    assert [str(one["message_id"]) for one in listed] == [queued, silent, refused]
    listed = (await terminal.beside("message", "list", "--number", "+8613800130003", "--limit", "1", "--json")).json
    assert [str(one["message_id"]) for one in listed] == [refused]

    failed = (await terminal.beside("push", "list", account.name, "--failed", "--json")).json
    assert {str(one["message_id"]) for one in failed} >= {refused}
    assert {(one["outcome"], one["status"]) for one in failed} <= {("pending", 404), ("superseded", 404)}
    waiting = await asyncio.to_thread(terminal, "push", "replay", str(failed[0]["push_id"]), status=1)
    assert "is still pending: the next attempt is at" in waiting.err


async def test_a_push_that_has_ended_is_sent_again(server: Server, sink: Sink) -> None:
    terminal = Terminal(environment(server.data, server.dsn))
    box = sink.box()
    account = await server.account(report_url=box.url)
    await server.client.laaffic(
        account, "POST", "/v3/sendSms", body={"appId": account.app, "numbers": "8613800130001", "content": "hello"}
    )
    await box.first()
    (push,) = await answered(
        lambda: terminal.beside("push", "list", account.name, "--json"), lambda found: found[0]["outcome"] != "pending"
    )
    assert (push["outcome"], push["status"], push["url"]) == ("acknowledged", 200, box.url)
    await terminal.beside("push", "replay", str(push["push_id"]))
    first, second = await box.first(2)
    assert first.body == second.body


async def test_a_receipt_that_nobody_waits_for_is_listed(server: Server) -> None:
    terminal = Terminal(environment(server.data, server.dsn))
    await server.query(
        "INSERT INTO parked_receipt (carrier_id, carrier_ref, received_at, state, raw, given_up_at)"
        " SELECT carrier_id, 'stray', now(), 3, 'id:stray stat:DELIVRD', now() FROM carrier WHERE name = 'simulator-a'"
    )
    (found,) = (await terminal.beside("receipt", "list", "--json")).json
    assert (found["carrier"], found["carrier_ref"], found["state"]) == ("simulator-a", "stray", "delivered")


# --- how it is printed ------------------------------------------------------------------------------------------


def test_amounts_line_up_and_times_are_utc_to_the_second(terminal: Terminal, account: str) -> None:
    terminal("topup", account, "1234.5")
    terminal("topup", account, "0.000001")
    said = terminal("ledger", "show", account).out
    first, second = (line for line in said.splitlines() if "topup" in line)
    assert first.index("0.000001") + len("0.000001") == second.index("1234.500000") + len("1234.500000")
    assert len(first.split()[0]) == len("2026-01-01")
    assert max(map(len, said.splitlines())) <= COLUMNS


def test_a_text_cannot_steer_the_terminal_and_nothing_is_cut_off(terminal: Terminal, account: str) -> None:
    body = "\x1b]0;gotcha\x07 [bold]not markup[/bold] " + "word " * 60 + "x" * 200 + "END"
    terminal("template", "add", account, "long", body)
    narrow = Terminal({**terminal.environment, "COLUMNS": "40"})
    for said in (terminal("template", "list", account).out, narrow("template", "list", account).out):
        assert "\x1b" not in said
        assert "\x07" not in said
        assert "\\x1b" in said
        flat = "".join(said.split())
        assert flat.count("word") == 60
        assert flat.count("x") >= 200
        assert "[bold]" in flat
        assert "END" in flat
    (listed,) = terminal.json("template", "list", account)
    assert listed["body"] == body


def test_a_list_of_nothing_says_so_to_people_and_is_empty_to_programs(terminal: Terminal, account: str) -> None:
    assert terminal("sender", "list", account).out == "No sender IDs yet.\n"
    assert terminal.json("sender", "list", account) == []


def test_migrations_that_a_database_has_are_not_pending(terminal: Terminal) -> None:
    terminal("account", "list")  # which migrates a database of an older release
    assert terminal("migrate", "--pending").out == "nothing to do\n"
    assert terminal.json("migrate", "--pending") == {"pending": []}


# --- processes and databases ------------------------------------------------------------------------------------


async def test_migrate_makes_a_database_and_each_command_starts_and_stops_it(room: Path, worker: str) -> None:
    data = room / f"cli-own-{worker}"
    terminal = Terminal(environment(data, None))
    assert (await terminal.run("migrate")).status == 0
    made = await terminal.run("account", "create", "acme")
    assert made == Said(0, "Account acme created with ID 1.\n", "")
    assert not list(data.rglob("postmaster.pid")), "a command left its database running"
    listed, shown = await asyncio.gather(
        terminal.run("account", "list", "--json"), terminal.run("account", "show", "1", "--data", str(data), "--json")
    )
    assert [one["name"] for one in listed.json] == [shown.json["name"]] == ["acme"]
    assert not list(data.rglob("postmaster.pid"))


async def test_a_database_that_is_not_there_is_one_line(room: Path) -> None:
    for dsn in ("postgresql://homing@127.0.0.1:1/homing", "nonsense://x"):
        said = await Terminal(environment(room / "away", dsn)).run("account", "list")
        assert (said.status, said.out) == (6, "")
        assert said.err.startswith("Error: the database cannot be opened: ")
        assert said.err.count("\n") == 1


async def test_an_argument_that_is_not_text_is_status_2(terminal: Terminal) -> None:
    said = await terminal.run("account", "show", b"\xff\xfe")
    assert said.status == 2
    assert "account is not UTF-8 text" in said.err


def test_in_a_terminal_a_table_fits_its_width(terminal: Terminal, account: str) -> None:
    """A real one: what it is asked for its width is its own, and what is printed has no line longer than it."""
    ours, theirs = pty.openpty()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HOMING_") and name != "COLUMNS"}
    given = {name: value for name, value in terminal.environment.items() if value is not None and name != "COLUMNS"}
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "homing.cli", "account", "show", account],
        stdin=theirs,
        stdout=theirs,
        env={**kept, **given, "PYTHONPATH": str(Path(homing.__file__).parents[1]), "TERM": "dumb"},
    )
    os.close(theirs)
    said = b""
    try:
        while piece := os.read(ours, 65536):
            said += piece
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    assert process.wait(WAIT_S) == 0
    printed = said.decode().replace("\r\n", "\n").splitlines()
    assert any(account in line for line in printed)
    assert max(map(len, printed)) <= COLUMNS
