"""The console's pure parts: charts, formats, languages, paging, what browsers are held to."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Formatter
from typing import get_type_hints

import pytest

from homing.carriers.kinds import KINDS
from homing.carriers.secret_mark import SECRET
from homing.console import charts, security
from homing.console.formats import Formats, zone_named
from homing.console.languages import LANGUAGE_FOLDERS, Languages
from homing.console.live import CachedValues
from homing.console.pages import SECTIONS
from homing.console.paging import page_of
from homing.console.templating import load_files
from homing.statistics.report import rate
from tests.support import console_texts

NOW = datetime(2026, 11, 26, 8, 30, 5, tzinfo=UTC)
CONSOLE = console_texts.CONSOLE
FOLDERS = sorted(folder for folder in console_texts.LOCALES.iterdir() if folder.is_dir())


def formats(code: str, zone: str = "UTC") -> Formats:
    return Formats(Languages().choose(code, ""), zone_named(zone), NOW)


# ---- Charts


@pytest.mark.parametrize(
    ("value", "top"),
    [(0, 1), (1, 1), (1.01, 2), (2, 2), (4, 4), (7, 8), (10, 10), (11, 20), (230, 300), (0.003, 0.003)],
)
def test_the_upper_edge_is_a_round_number_not_below_the_highest(value: float, top: float) -> None:
    assert charts.round_top(value) == pytest.approx(top)


def test_bars_stand_on_each_other_and_reach_the_sum() -> None:
    plot = charts.stacked(["a", "b"], [charts.Series("x", "good", [1, 0]), charts.Series("y", "bad", [3, 5])])
    assert plot.top == 5
    first = [bar for bar in plot.bars if bar.x < charts.WIDTH / 2]
    assert [bar.tone for bar in first] == ["good", "bad"]
    assert first[0].y + first[0].height == pytest.approx(charts.HEIGHT)
    assert first[1].y + first[1].height == pytest.approx(first[0].y)
    assert first[1].y == pytest.approx(charts.HEIGHT * (1 - 4 / 5))
    assert len(plot.bars) == 3, "nothing is drawn for 0"
    assert [slot.title for slot in plot.slots] == ["a", "b"]
    assert not plot.is_empty


def test_a_line_breaks_where_there_is_no_value_and_shows_lone_ones_as_dots() -> None:
    plot = charts.lines(list("abcde"), [charts.Series("x", "good", [0.5, 1.0, None, 0.25, None])], top=1.0)
    (line,) = plot.lines
    assert line.path == "M100.0 100.0L300.0 0.0M700.0 150.0"
    assert list(line.dots) == [(700.0, 150.0)]


def test_charts_of_nothing_are_empty() -> None:
    assert charts.stacked([], []).is_empty
    assert charts.lines(["a"], [charts.Series("x", "good", [None])]).is_empty


# ---- Formats


def test_money_and_numbers_are_written_as_the_viewer_reads_them() -> None:
    english, chinese = formats("en"), formats("zh-Hans")
    assert english.money(1_234_567_890) == "$1,234.57"
    assert english.exact(31_000) == "$0.031"
    assert english.exact(-5_000_000) == "-$5.00"
    assert chinese.money(1_234_567_890) == "US$1,234.57"
    assert english.number(1234567) == "1,234,567"
    assert chinese.short(1_234_567) == "123.5万"
    assert formats("zh-Hant").short(1_234_567) == "123.5萬"
    assert english.percent(rate(1, 8)) == "12.5%"
    assert (english.percent(1.0), english.percent(0.0), english.percent(0.99999)) == ("100%", "0%", "100%")
    assert {english.money(None), english.number(None), english.percent(None), english.time(None)} == {english.absent}


def test_times_are_in_the_viewers_zone() -> None:
    assert formats("en").time(NOW) == "Nov 26, 2026 08:30:05"
    assert formats("zh-Hans", "Asia/Shanghai").time(NOW) == "2026年11月26日 16:30:05"
    late = NOW.replace(hour=20)
    assert formats("en", "Asia/Shanghai").time(late) == "Nov 27, 2026 04:30:05"
    assert formats("en").ago(NOW - timedelta(minutes=5)) == "5 minutes ago"
    assert formats("en", "Asia/Shanghai").iso(NOW) == "2026-11-26T08:30:05Z"


@pytest.mark.parametrize("name", [None, "", "Nowhere/City", "../../etc/passwd", "Asia", "\ud800", "A" * 500, "/UTC"])
def test_a_zone_that_is_none_is_utc(name: str | None) -> None:
    assert zone_named(name).key == "UTC"


# ---- Languages


@pytest.mark.parametrize(
    ("chosen", "accepted", "code"),
    [
        (None, "", "en"),
        (None, "zh-CN,zh;q=0.9,en;q=0.8", "zh-Hans"),
        (None, "zh-TW,zh;q=0.9", "zh-Hant"),
        (None, "zh-HK", "zh-Hant"),
        (None, "fr, zh-Hant;q=0.5, en;q=0.8", "en"),
        (None, "de;q=x, ;;;,", "en"),
        ("zh-Hant", "en", "zh-Hant"),
        ("xx", "zh", "zh-Hans"),
    ],
)
def test_the_language_is_the_chosen_one_else_what_the_browser_asks_for(
    chosen: str | None, accepted: str, code: str
) -> None:
    assert Languages().choose(chosen, accepted).code == code


def test_every_language_has_a_folder() -> None:
    assert [folder.name for folder in FOLDERS] == sorted(one.folder for one in LANGUAGE_FOLDERS if one.folder)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_no_language_lacks_a_text_or_has_one_that_nothing_says(folder: Path) -> None:
    said = console_texts.said()
    assert len(said) > 150, "texts are marked in another way now: change what this test looks for"
    entries = list(console_texts.catalogues(folder))
    keys = [console_texts.key(message) for _file, message in entries]
    assert console_texts.missing(folder) == {}
    assert set(keys) - set(said) == set()
    assert len(keys) == len(set(keys)), "a text stands in two files"
    for file, message in entries:
        forms = console_texts.forms_of(message)
        assert all(forms), (file.name, message.id)
        assert not message.fuzzy, message.id
        originals = [message.id] if isinstance(message.id, str) else list(message.id)
        for form in forms:
            lost = set.union(*map(names, originals)) ^ names(form)
            assert lost <= {"n", "count"} if len(originals) > 1 else not lost, (file.name, message.id)


def names(text: str) -> set[str]:
    return {name for _literal, name, _spec, _conversion in Formatter().parse(text) if name}


def test_texts_of_the_two_chinese_scripts_differ() -> None:
    """A text in the wrong script is a copy that was forgotten: these characters are of one script alone."""
    simplified, traditional = (
        set("这们个为发时户码录应对说请过还务复转费页态"),
        set("這們個為發時戶碼錄應對說請過還務複轉費頁態"),
    )
    for folder, foreign in zip(FOLDERS, (traditional, simplified), strict=True):
        for file, message in console_texts.catalogues(folder):
            text = "".join(console_texts.forms_of(message))
            assert not set(text) & (foreign - {"發"} if folder.name == "zh_Hant" else foreign), (file.name, text)


# ---- Pages and files


HEADING = re.compile(r"""<th scope="col"[^>]*>\{\{ _\("([^"]*)"\) \}\}""")
LABEL = re.compile(r"""data-label="\{\{ _\('([^']*)'\) \}\}\"""")


@pytest.mark.parametrize("file", sorted(CONSOLE.rglob("*.html")), ids=lambda file: file.name)
def test_a_cell_on_a_phone_has_its_columns_heading(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert set(LABEL.findall(text)) - set(HEADING.findall(text)) == set()


def test_paths_are_apart_and_every_entry_leads_to_a_page_that_its_readers_may_see() -> None:
    pages = [page for section in SECTIONS for page in section.pages]
    assert len({page.path for page in pages}) == len(pages)
    seen_by = {page.path: page.seen_by for page in pages}
    for section in SECTIONS:
        for entry in section.entries:
            assert entry.seen_by <= seen_by[entry.path], entry.path


def test_a_page_of_rows_knows_where_the_older_ones_begin() -> None:
    rows = list(range(9, 0, -1))
    assert page_of(rows, int, 3).older == 7
    assert page_of(rows, int, 3).rows == [9, 8, 7]
    assert page_of(rows[:3], int, 3).older is None
    assert page_of([], int, 3).older is None


INLINE = re.compile(r"<style|<script(?![^>]* src=)|\sstyle\s*=|\son\w+\s*=|javascript:", re.IGNORECASE)


@pytest.mark.parametrize("file", sorted(CONSOLE.rglob("*.html")), ids=lambda file: file.name)
def test_templates_hold_nothing_inline_and_nothing_from_elsewhere(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert INLINE.findall(text) == []
    assert re.findall(r"https?://|(?:src|href)=\"//", text) == []
    assert "|safe" not in text.replace(" ", "")
    for form in re.findall(r'<form(?=[^>]*method="post").*?</form>', text, re.DOTALL):
        assert "form_token()" in form, form[:80]


def test_our_files_hold_nothing_of_others_and_change_their_address_with_their_content() -> None:
    files = load_files()
    assert {"console.css", "console.js", "homing.svg"} <= set(files)
    for name, file in files.items():
        assert re.fullmatch(rf"/static/[0-9a-f]{{12}}/{re.escape(name)}", file.url)
        assert not re.findall(rb"@import|https?://(?!www\.w3\.org/2000/svg)", file.body)
    assert files["console.css"].content_type == "text/css"
    assert files["console.js"].content_type == "text/javascript"


# ---- What browsers are held to

OWN = frozenset({"https://console.example"})


@pytest.mark.parametrize(
    ("headers", "is_own"),
    [
        ({}, True),
        ({"sec-fetch-site": "same-origin", "origin": "https://console.example"}, True),
        ({"origin": "https://console.example"}, True),
        ({"sec-fetch-site": "cross-site", "origin": "https://console.example"}, False),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "null"}, False),
        ({"sec-fetch-site": "same-origin", "origin": "https://evil.example"}, False),
    ],
)
def test_a_change_comes_from_our_own_pages(headers: dict[str, str], is_own: bool) -> None:
    assert security.is_own_request(headers, OWN) is is_own


@pytest.mark.parametrize(
    ("host", "is_own"),
    [
        ("console.example.com", True),
        ("Console.Example.com:443", True),
        ("localhost:8081", True),
        ("127.0.0.1:8081", True),
        ("[::1]:8081", True),
        ("192.168.1.5", True),
        ("evil.example", False),
        ("console.example.com.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example", False),
        ("", False),
        ("[::1", False),
        ("a b", False),
    ],
)
def test_the_console_serves_its_own_name_and_bare_addresses(host: str, is_own: bool) -> None:
    assert security.is_own_host(host, "https://console.example.com") is is_own


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/audit?before=3", "/audit?before=3"),
        ("", "/"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example/", "/"),
        ("/a\\..\\b", "/"),
        ("/\r\nset-cookie: x", "/"),
        ("javascript:alert(1)", "/"),
    ],
)
def test_nobody_is_sent_elsewhere(text: str, path: str) -> None:
    assert security.local_path(text) == path


def test_the_content_policy_lets_nothing_inline_run() -> None:
    policy = dict(piece.split(" ", 1) for piece in security.CONTENT_POLICY.split("; "))
    assert policy["default-src"] == "'none'"
    assert "unsafe" not in security.CONTENT_POLICY
    assert {policy[name] for name in ("frame-ancestors", "base-uri")} == {"'none'"}


# ---- Kept


async def test_callers_at_once_share_one_making_and_a_failure_is_not_kept() -> None:
    kept, made = CachedValues(60.0), []

    async def make() -> int:
        made.append(1)
        await asyncio.sleep(0.01)
        if len(made) == 1:
            raise ValueError("the first time")
        return len(made)

    results = await asyncio.gather(*(kept.get("key", make) for _ in range(5)), return_exceptions=True)
    assert all(isinstance(one, ValueError) for one in results)
    assert await asyncio.gather(*(kept.get("key", make) for _ in range(5))) == [2] * 5
    assert await kept.get("key", make) == 2
    assert await kept.get("another", make) == 3


async def test_what_is_kept_is_made_anew_when_old() -> None:
    kept, made = CachedValues(0.0, items_max=3), []

    async def make() -> int:
        made.append(1)
        return len(made)

    assert [await kept.get("key", make) for _ in range(3)] == [1, 2, 3]


async def test_what_was_kept_longest_makes_room() -> None:
    kept, made = CachedValues(60.0, items_max=3), []

    async def make() -> int:
        made.append(1)
        return len(made)

    assert [await kept.get(key, make) for key in ("first", "second", "third", "first")] == [1, 2, 3, 1]
    await kept.get("fourth", make)
    assert [await kept.get(key, make) for key in ("second", "first")] == [2, 5]


# ---- The audit's secrets


def test_the_audit_hides_every_secret_of_the_carriers_settings() -> None:
    migration = CONSOLE.parent / "store" / "sql" / "migrations" / "0007_console.sql"
    listed = re.search(r"key IN \(([^)]*)\)", migration.read_text(encoding="utf-8"))
    assert listed
    hidden = set(re.findall(r"'(\w+)'", listed[1]))
    for kind in KINDS.values():
        hints = get_type_hints(kind.settings, include_extras=True)
        assert {name for name, hint in hints.items() if SECRET in getattr(hint, "__metadata__", ())} <= hidden
