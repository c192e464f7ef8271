"""The documents against the code: links, commands, settings, codes, metrics; and what no file may hold.

The commands in a block marked ```sh run are really run, in tests/scenario/test_docs_commands.py.
"""

import ast
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import click
import pytest

from homing import cli, limits
from homing.config import settings_file
from homing.dialects.laaffic import bounds as laaffic_bounds
from homing.dialects.laaffic import endpoints as laaffic
from homing.dialects.laaffic.codes import CODES
from homing.dialects.lia import bounds as lia_bounds
from homing.dialects.lia import endpoints as lia
from homing.dialects.lia import send as lia_send
from homing.dialects.lia.words import INVALID_REQUEST, REMARKS, STATE_WORDS
from homing.dialects.registry import DIALECTS

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "homing"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
REFERENCE = ROOT / "docs" / "reference"

LINK = re.compile(r"""(?:\]\(|(?:src|srcset)=")([^)"\s]+)[)"]""")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
BLOCK = re.compile(r"^```(\w*)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
COMMAND = re.compile(r"^(?:\.venv/bin/|/opt/homing/\.venv/bin/)?homing( .*)$")
METRIC = re.compile(r"""(Counter|Gauge|Histogram|\w+MetricFamily)\(\s*"(homing_\w+)\"""")

LAAFFIC_CODES = [str(-code) for code in (*range(21), 22, *range(25, 30))]
"""Section 2 of the dialect's contract."""

ENVIRONMENT_ONLY = {"HOMING_DATA", "HOMING_DATABASE_URL", "HOMING_SECRET_KEY", "HOMING_USER"}


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, *languages: str) -> list[str]:
    found = BLOCK.findall(page.read_text(encoding="utf-8"))
    return [body for language, _more, body in found if language in languages]


def anchors(page: Path) -> set[str]:
    """A page's headings as GitHub names them."""
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in HEADING.findall(text)}


def links(page: Path) -> list[str]:
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    return [link for link in LINK.findall(text) if "://" not in link]


# ---- Links


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_resolves(page: Path) -> None:
    for link in links(page):
        path, _hash, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_relative_to(ROOT), link
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


@pytest.mark.parametrize("start", ["README.md", "README.zh.md"])
def test_every_page_can_be_reached_from_the_readme(start: str) -> None:
    reached, waiting = set(), [ROOT / start]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md" or not page.exists():
            continue
        reached.add(page)
        waiting += [(page.parent / link.partition("#")[0]).resolve() for link in links(page) if link[0] != "#"]
    assert [name_of(page) for page in PAGES if page not in reached] == []


def test_both_readmes_run_the_same_commands_and_show_the_same_answers() -> None:
    english, chinese = (
        [(language, more, re.sub(r"\s+# .*", "", body)) for language, more, body in BLOCK.findall(text)]
        for text in ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh.md"))
    )
    assert english == chinese


@pytest.mark.parametrize("picture", sorted((ROOT / "docs" / "pictures").glob("*.svg")), ids=name_of)
def test_a_picture_stands_on_its_own_in_light_and_dark(picture: Path) -> None:
    text = picture.read_text(encoding="utf-8")
    elements = list(ElementTree.fromstring(text).iter())
    assert not [element for element in elements if element.tag.endswith(("script", "image", "foreignObject"))]
    assert "@import" not in text
    assert "@font-face" not in text
    assert [link for link in re.findall(r"https?://[^\"'\s]+", text) if link != "http://www.w3.org/2000/svg"] == []
    assert "prefers-color-scheme: dark" in text


# ---- Commands


def shell_commands(page: Path) -> Iterator[str]:
    """Each `homing ...` of the page's shell blocks and code spans, as written."""
    for body in blocks(page, "sh"):
        for line in re.sub(r"\\\n\s*", " ", body).splitlines():
            match = COMMAND.match(line.strip())
            if match:
                yield match[1].partition(" # ")[0]
    for span in SPAN.findall(BLOCK.sub("", page.read_text(encoding="utf-8"))):
        match = COMMAND.match(span.strip())
        if match:
            yield match[1]


def command_named(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that the first words name, and the words that are left."""
    command: click.Command = cli.main
    rest = list(words)
    context = click.Context(command)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        found = command.get_command(context, rest[0])
        assert found is not None, f"there is no command homing {' '.join(words)}"
        command, rest = found, rest[1:]
    return command, rest


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_line_is_one_that_exists(page: Path) -> None:
    for line in shell_commands(page):
        command, rest = command_named(shlex.split(line))
        known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        given = {word.partition("=")[0] for word in rest if word.startswith("--")}
        assert given <= known | {"--help"}, f"homing{line}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_line_of_a_shell_block_parses(page: Path) -> None:
    for body in blocks(page, "sh"):
        for line in re.sub(r"\\\n\s*", " ", body).splitlines():
            match = COMMAND.match(line.strip())
            if match:
                words = shlex.split(match[1].replace("$id", "244268819693824"), comments=True)
                command, rest = command_named(words)
                command.make_context("homing", rest)  # raises what click would tell


def test_the_map_of_commands_leaves_none_out() -> None:
    page = (REFERENCE / "command-line.md").read_text(encoding="utf-8")
    context = click.Context(cli.main)
    for name in cli.main.list_commands(context):
        line = next((line for line in page.splitlines() if line.startswith("|") and f"`homing {name}" in line), None)
        assert line, name
        command = cli.main.get_command(context, name)
        verbs = command.list_commands(context) if isinstance(command, click.Group) else []
        assert [verb for verb in verbs if not re.search(rf"[` ]{verb}`", line)] == [], name


# ---- Settings, codes, metrics


def test_every_setting_is_described() -> None:
    page = (REFERENCE / "settings.md").read_text(encoding="utf-8")
    text = (SOURCE / "default.toml").read_text(encoding="utf-8")
    sections = tomllib.loads(text)
    for dialect in DIALECTS:
        if dialect.settings is not None:
            sections[dialect.name] = tomllib.loads(settings_file(dialect).read_text(encoding="utf-8"))
    settings = {f"{heading}.{name}" for heading, members in sections.items() for name in members}
    assert set(re.findall(r"^\| `([a-z_.]+)`", page, re.MULTILINE)) == settings
    assert set(re.findall(r"^\| `(HOMING_\w+)`", page, re.MULTILINE)) == ENVIRONMENT_ONLY
    assert all(name in text for name in ENVIRONMENT_ONLY)
    assert "default.toml" in page
    assert "is the manual" in page


def test_every_laaffic_code_is_in_its_reference() -> None:
    page = (REFERENCE / "laaffic.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| (-?\d+) \| ", page, re.MULTILINE)
    assert table == LAAFFIC_CODES
    assert {CODES.of(kind) for kind in CODES} <= set(table)
    assert [
        path for path in (name.rpartition("laaffic.")[2] for name in endpoint_names(laaffic)) if path not in page
    ] == []


def test_every_lia_code_remark_and_status_is_in_its_reference() -> None:
    page = (REFERENCE / "lia.md").read_text(encoding="utf-8")
    for code, text in lia.TRACK.items():
        assert f"| {code} | {text} |" in page
    unsaid = {INVALID_REQUEST}  # each refusal that this dialect can meet has words of its own
    assert {remark for kind in REMARKS if (remark := REMARKS.of(kind)) not in page} <= unsaid
    assert [word for word in STATE_WORDS.values() if f"`{word}`" not in page] == []
    assert [word for word in (lia.LOCKED, lia.NOT_ALLOWED) if f"`{word}`" not in page] == []
    said = {detail for detail in refusal_details(SOURCE / "dialects" / "lia" / "send.py") if f"`{detail}`" not in page}
    assert said == set()
    assert [name for name in lia_send.ENCODINGS if f"`{name}`" not in page] == []
    assert [path for path in (name.rpartition("lia.")[2] for name in endpoint_names(lia)) if path not in page] == []


def endpoint_names(module: object) -> set[str]:
    """What the dialect calls its endpoints in the metrics."""
    source = Path(str(getattr(module, "__file__", ""))).read_text(encoding="utf-8")
    return set(re.findall(r'"((?:lia\.)?(?:get|send|record|postback|otp/|Send|Check|Get|CTrack)[\w/]*)"', source))


def refusal_details(file: Path) -> Iterator[str]:
    """The constant texts that a dialect's code refuses with."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "BadParameter":
            yield from (one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str))


def test_the_bounds_that_customers_meet_are_those_of_the_code() -> None:
    lia_page = (REFERENCE / "lia.md").read_text(encoding="utf-8")
    laaffic_page = (REFERENCE / "laaffic.md").read_text(encoding="utf-8")
    for words in (
        f"up to {lia_bounds.NUMBERS_MAX}",
        f"up to {lia_bounds.TEXT_UNITS_MAX} UTF-16 units",
        f"up to {lia_bounds.REFERENCE_CHARS_MAX} characters",
        f"up to {limits.URL_CHARS_MAX} characters",
        f"up to {limits.REGISTRATION_CHARS_MAX} characters",
        f"{limits.VALIDITY_S_MIN} to {limits.VALIDITY_S_MAX}; left out: {limits.VALIDITY_S_DEFAULT}",
    ):
        assert words in lia_page
    for words in (
        f"{laaffic_bounds.NUMBERS_GET_MAX} with GET, {laaffic_bounds.NUMBERS_POST_MAX} with POST",
        f"up to {laaffic_bounds.CONTENT_UNITS_MAX} UTF-16 units",
        f"up to {limits.SENDER_CHARS_MAX} characters",
        f"up to {laaffic_bounds.ORDER_CHARS_MAX} characters",
        f"up to {laaffic_bounds.REPORT_IDS_MAX}",
        f"at most {laaffic_bounds.WINDOW_S} s off",
        f"longer than {laaffic_bounds.SPAN_DAYS_MAX} days",
        f"more than {laaffic_bounds.HISTORY_DAYS} days ago",
        f"`size` 1 to {laaffic_bounds.PAGE_RECORDS_MAX}",
        f"{limits.QUERIES_PER_S_DEFAULT} a second",
    ):
        assert words in laaffic_page
    assert f"{lia_bounds.BODY_BYTES_MAX >> 10} KiB" in lia_page
    assert f"above {limits.HTTP_PARAMETERS_MAX} the call" in lia_page
    assert f"{limits.HTTP_BODY_BYTES_MAX >> 20} MiB" in laaffic_page
    for page in (lia_page, laaffic_page):
        assert f"{limits.HTTP_QUERY_BYTES_MAX >> 10} KiB" in page


def test_the_waits_between_pushes_are_those_of_the_code() -> None:
    page = (ROOT / "docs" / "operate" / "operating.md").read_text(encoding="utf-8")
    units = {"s": 1, "min": 60, "h": 3600}
    line = next(line for line in page.splitlines() if line.startswith("| Attempts |"))
    waits = [int(count) * units[unit] for count, unit in re.findall(r"(\d+) (s|min|h)\b", line)]
    assert tuple(waits) == limits.PUSH_WAITS_S
    assert f"| {len(limits.PUSH_WAITS_S) + 1}:" in line


def test_every_metric_and_kind_of_waiting_row_is_on_the_operators_page() -> None:
    page = (ROOT / "docs" / "operate" / "operating.md").read_text(encoding="utf-8")
    found = [one for file in SOURCE.rglob("*.py") for one in METRIC.findall(file.read_text(encoding="utf-8"))]
    assert len(found) >= 6, "metrics are made in another way now: change what this test looks for"
    names = {f"{name}_total" if maker.startswith("Counter") else name for maker, name in found}
    assert {name for name in names if f"`{name}`" not in page} == set()
    kinds = re.findall(
        r"SELECT '(\w+)'(?: AS kind)?, count", (SOURCE / "store/sql/observe.sql").read_text(encoding="utf-8")
    )
    assert kinds
    assert [kind for kind in kinds if kind not in page] == []


def test_every_part_is_explained() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "internals" / "parts.md").read_text(encoding="utf-8")
    assert [name for name in project["project"]["dependencies"] if not re.search(rf"[|,] {name}[ ,]", page)] == []


def test_every_table_is_told() -> None:
    page = (ROOT / "docs" / "internals" / "data.md").read_text(encoding="utf-8")
    files = (SOURCE / "store/sql/migrations").glob("*.sql")
    sql = "".join(file.read_text(encoding="utf-8") for file in sorted(files))
    renamed = dict(re.findall(r"^ALTER TABLE (\w+) RENAME TO (\w+);", sql, re.MULTILINE))
    tables = [renamed.get(name, name) for name in re.findall(r"^CREATE TABLE (\w+)", sql, re.MULTILINE)]
    assert [name for name in tables if name not in page] == []


def test_every_layer_is_told() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "internals" / "layers.md").read_text(encoding="utf-8")
    layers = [line.split(" | ") for line in project["tool"]["importlinter"]["contracts"][0]["layers"]]
    assert [name for line in layers for name in line if f"`{name.removeprefix('homing.')}`" not in page] == []


def test_every_decision_is_in_the_list() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", (folder / "README.md").read_text(encoding="utf-8"))
    assert listed == sorted(page.name for page in folder.glob("0*.md"))
    assert all("**Else.**" in (folder / name).read_text(encoding="utf-8") for name in listed), "no alternatives"
