"""Signing in to the console, what protects it, and what is recorded of it: over HTTP against the real process."""

import asyncio
import base64
import contextlib
import re
import time
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from homing import limits
from homing.console.live import CONSOLE_VIEWERS_PER_USER_MAX
from homing.console.request_context import CONSOLE_BODY_BYTES_MAX, CONSOLE_STRANGER_BODY_BYTES_MAX
from homing.model import UserRole
from homing.users.links import make_link
from homing.users.second_factor import CONSOLE_RECOVERY_CODES
from homing.users.tokens import digest
from tests.support.server import Server, free_port
from tests.support.viewer import PASSWORD, Viewer, accept, new_link, signed_in, stream
from tests.support.waiting import in_time

WRONG = "Wrong user name or password."
INLINE = re.compile(r"<style|<script(?![^>]* src=)|\sstyle\s*=|\son\w+\s*=|javascript:", re.IGNORECASE)
SECRET = re.compile(r'name="totp_secret" value="([A-Z2-7]{32})"')
CODES = re.compile(r"<code>([a-z2-9]{5}-[a-z2-9]{5})</code>")


def code_of(secret: str, steps: int = 0) -> str:
    """What the app shows, so many steps from now."""
    app = TOTP(base64.b32decode(secret), 6, SHA1(), 30)
    return app.generate(int(datetime.now(UTC).timestamp()) + 30 * steps).decode()


async def enrolled(viewer: Viewer) -> tuple[str, list[str]]:
    """(secret, recovery codes) of a viewer who sets up a second factor. The code of this step is used up."""
    secret = SECRET.search((await viewer.get("/you/second-factor")).text)
    assert secret
    fields = {"totp_secret": secret[1], "code": code_of(secret[1]), "password": PASSWORD}
    done = await viewer.post("/you/second-factor", fields)
    codes = CODES.findall(done.text)
    assert len(codes) == CONSOLE_RECOVERY_CODES, done.words
    return secret[1], codes


# ---- Links


async def test_a_link_sets_a_password_once_and_signs_in(server: Server, console: str) -> None:
    name, path = await new_link(server.database, UserRole.OPERATOR)
    viewer = Viewer(console)
    assert name in (await viewer.get(path)).words
    first = await accept(viewer, path, name)
    assert first.goes_to == "/"
    assert name in (await viewer.follow(first)).words
    again = await accept(Viewer(console), path, name, "another long password")
    assert again.status == 410
    assert (await Viewer(console).sign_in(name, "another long password")).status == 422


async def test_the_first_operator_makes_himself_and_nobody_after_him(server: Server, console: str) -> None:
    await signed_in(console, server.database)  # there is an operator
    async with server.database.transaction() as transaction:
        token = await make_link(transaction, None)
    viewer = Viewer(console)
    assert (await viewer.get(f"/welcome/{token}")).status == 410
    assert (await accept(viewer, f"/welcome/{token}", "second-first")).status == 410
    assert await server.query("SELECT FROM console_user WHERE name = 'second-first'") == []


async def test_an_old_link_a_voided_one_and_a_made_up_one_are_good_for_nothing(server: Server, console: str) -> None:
    name, old = await new_link(server.database, UserRole.SUPPORT)
    await server.query(
        "UPDATE console_link SET expires_at = now() WHERE token = $1", digest(old.removeprefix("/welcome/"))
    )
    row = await server.query_row("SELECT user_id FROM console_user WHERE name = $1", name)
    async with server.database.transaction() as transaction:
        voided = await make_link(transaction, row["user_id"])
        await make_link(transaction, row["user_id"])
    for path in (old, f"/welcome/{voided}", "/welcome/x", "/welcome/%00", "/welcome/" + "x" * 3000):
        assert (await Viewer(console).get(path)).status == 410, path


async def test_a_password_that_does_not_do_leaves_the_link_good(server: Server, console: str) -> None:
    name, path = await new_link(server.database, UserRole.OPERATOR)
    viewer = Viewer(console)
    short = await accept(viewer, path, name, "short")
    assert short.status == 422
    assert "12 to 256 characters" in short.words
    assert 'value="short"' not in short.text, "a password is not shown again"
    differs = await viewer.post(path, {"password": PASSWORD, "password_again": PASSWORD + "x"})
    assert "The two passwords do not match." in differs.words
    assert (await accept(viewer, path, name)).goes_to == "/"


# ---- Passwords and sessions


async def test_who_is_wrong_unknown_disabled_or_without_a_password_hears_the_same(server: Server, console: str) -> None:
    name, _viewer = await signed_in(console, server.database)
    disabled, _other = await signed_in(console, server.database)
    await server.query("UPDATE console_user SET disabled_at = now() WHERE name = $1", disabled)
    without, _path = await new_link(server.database, UserRole.OPERATOR)
    for who, password in ((name, "wrong password"), ("nobody-at-all", PASSWORD), (disabled, PASSWORD), (without, "")):
        viewer = Viewer(console)
        answer = await viewer.sign_in(who, password)
        assert (answer.status, WRONG in answer.words) == (422, True), who
        assert "homing_session" not in viewer.cookies
    assert (await Viewer(console).sign_in(name)).goes_to == "/"


async def test_an_unknown_name_takes_as_long_as_a_wrong_password(server: Server, console: str) -> None:
    name, _viewer = await signed_in(console, server.database)
    took: dict[str, list[float]] = {name: [], "nobody-at-all": []}
    known_s = unknown_s = 0.0
    for _ in range(8):  # the least of a few: a busy machine makes any of them long, and none short
        for who, times in took.items():
            viewer = Viewer(console)
            await viewer.get("/sign-in")
            started_s = time.perf_counter()
            await viewer.post("/sign-in", {"name": who, "password": "wrong password"})
            times.append(time.perf_counter() - started_s)
        known_s, unknown_s = map(min, took.values())
        if unknown_s > known_s / 2:
            break
    assert unknown_s > known_s / 2, "nobody is told that a name is unknown by a quick answer"


async def test_signing_in_makes_a_new_session_and_ends_the_browsers_former_one(server: Server, console: str) -> None:
    name, viewer = await signed_in(console, server.database)
    before = viewer.twin()
    await viewer.post("/sign-out")
    assert "homing_session" not in viewer.cookies
    assert (await before.get("/")).goes_to == "/sign-in"
    planted = Viewer(console, cookies={"homing_session": "x" * 43})
    assert (await planted.sign_in(name)).goes_to == "/"
    assert planted.cookies["homing_session"] != "x" * 43
    first = planted.twin()
    assert (await planted.follow(await planted.get("/sign-in"))).status == 200
    await planted.post("/sign-in", {"name": name, "password": PASSWORD})
    assert (await first.get("/")).goes_to == "/sign-in"


async def test_the_database_holds_no_token(server: Server, console: str) -> None:
    _name, viewer = await signed_in(console, server.database)
    token = viewer.cookies["homing_session"]
    found = await server.query("SELECT token FROM console_session WHERE token = $1", digest(token))
    assert len(found) == 1
    assert token.encode() not in found[0]["token"]


async def test_cookies_are_kept_from_scripts_and_other_sites(server: Server, console: str) -> None:
    name, path = await new_link(server.database, UserRole.OPERATOR)
    viewer = Viewer(console)
    await accept(viewer, path, name)
    (session,) = [line for line in viewer.set_cookies if line.startswith("homing_session=")]
    flags = {piece.strip().lower() for piece in session.split(";")[1:]}
    assert {"httponly", "samesite=lax", "path=/"} <= flags
    assert not any(flag.startswith(("domain", "max-age", "expires")) for flag in flags)


async def test_over_tls_cookies_are_sent_over_tls_alone_and_bound_to_the_host(server: Server) -> None:
    address = f"127.0.0.1:{free_port()}"
    process = await server.start(
        "console", "console-tls", HOMING_CONSOLE_ADDRESS=address, HOMING_CONSOLE_URL="https://console.example/"
    )
    name, path = await new_link(server.database, UserRole.OPERATOR)
    viewer = Viewer(f"http://{address}")
    await viewer.get(path)
    own = {"sec_fetch_site": "same-origin", "origin": "https://console.example"}
    answer = await viewer.post(path, {"name": name, "password": PASSWORD, "password_again": PASSWORD}, **own)
    assert answer.goes_to == "/"
    (session,) = [line for line in viewer.set_cookies if line.startswith("__Host-homing_session=")]
    assert "secure" in session.lower()
    assert "max-age=" in answer.headers["strict-transport-security"]
    assert (await viewer.get("/")).status == 200
    assert await process.stop() == 0


@pytest.mark.parametrize("column", ["seen_at", "expires_at"])
async def test_a_session_ends_when_idle_and_after_its_time(column: str, server: Server, console: str) -> None:
    _name, viewer = await signed_in(console, server.database)
    past = "now() - interval '61 minutes'" if column == "seen_at" else "now()"
    await server.query(
        f"UPDATE console_session SET {column} = {past} WHERE token = $1", digest(viewer.cookies["homing_session"])
    )
    answer = await viewer.get("/audit?kind=user")
    assert answer.goes_to == "/sign-in?next=%2Faudit%3Fkind%3Duser"
    assert (await viewer.get("/live")).status == 303


async def test_a_used_session_lives_on(server: Server, console: str) -> None:
    _name, viewer = await signed_in(console, server.database)
    token = digest(viewer.cookies["homing_session"])
    await server.query("UPDATE console_session SET seen_at = now() - interval '59 minutes' WHERE token = $1", token)
    assert (await viewer.get("/")).status == 200
    row = await server.query_row("SELECT now() - seen_at AS ago FROM console_session WHERE token = $1", token)
    assert row["ago"].total_seconds() < 30


async def test_signing_in_leads_back_to_where_one_wanted_to_go_but_not_elsewhere(server: Server, console: str) -> None:
    name, _viewer = await signed_in(console, server.database)
    for wanted, to in (
        ("/audit?kind=price", "/audit?kind=price"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
    ):
        viewer = Viewer(console)
        await viewer.get("/sign-in")
        assert (await viewer.post("/sign-in", {"name": name, "password": PASSWORD, "next": wanted})).goes_to == to


async def test_a_disabled_user_is_out_at_once(server: Server, console: str) -> None:
    name, viewer = await signed_in(console, server.database)
    assert (await viewer.get("/")).status == 200
    await server.query("UPDATE console_user SET disabled_at = now() WHERE name = $1", name)
    assert (await viewer.get("/")).goes_to == "/sign-in"


async def test_a_new_password_ends_the_other_sessions(server: Server, console: str) -> None:
    name, viewer = await signed_in(console, server.database)
    other = Viewer(console)
    await other.sign_in(name)
    await viewer.get("/you")
    fields = {"do": "password", "new_password": "quite another one", "new_password_again": "quite another one"}
    refused = await viewer.post("/you", {**fields, "password": "not mine"})
    assert "Wrong password." in refused.words
    assert (await viewer.post("/you", {**fields, "password": PASSWORD})).goes_to == "/you"
    assert (await viewer.get("/")).status == 200
    assert (await other.get("/")).goes_to == "/sign-in"
    assert (await Viewer(console).sign_in(name)).status == 422
    assert (await Viewer(console).sign_in(name, "quite another one")).goes_to == "/"


async def test_ten_wrong_passwords_lock_an_address_out_and_no_other(server: Server, console: str) -> None:
    name, _viewer = await signed_in(console, server.database)
    guessing = Viewer(console)
    await guessing.get("/sign-in")

    async def guess() -> int:
        return (await guessing.post("/sign-in", {"name": name, "password": "wrong password"})).status

    assert set(await asyncio.gather(*(guess() for _ in range(limits.PASSWORD_FAILURES_MAX)))) == {422}
    answer = await guessing.post("/sign-in", {"name": name, "password": PASSWORD})
    assert "Too many failed attempts." in answer.words
    assert (await Viewer(console).sign_in(name)).goes_to == "/"


# ---- Second factor


async def test_with_a_second_factor_the_password_alone_opens_nothing(server: Server, console: str) -> None:
    name, viewer = await signed_in(console, server.database)
    secret, _codes = await enrolled(viewer)
    other = Viewer(console)
    assert (await other.sign_in(name)).goes_to == "/sign-in/code?next=%2F"
    for path in ("/", "/audit", "/you", "/live"):
        assert (await other.get(path)).goes_to.startswith("/sign-in")
    half = other.cookies["homing_session"]
    await other.get("/sign-in/code")
    assert "The code is wrong" in (await other.post("/sign-in/code", {"code": "000000"})).words
    assert (await other.post("/sign-in/code", {"code": code_of(secret, 1), "next": "/audit"})).goes_to == "/audit"
    assert other.cookies["homing_session"] != half
    assert (await other.get("/")).status == 200
    former = Viewer(console, cookies={"homing_session": half})
    assert (await former.get("/sign-in/code")).goes_to == "/sign-in"


async def test_a_code_is_good_once(server: Server, console: str) -> None:
    name, viewer = await signed_in(console, server.database)
    secret, _codes = await enrolled(viewer)
    code, answers = code_of(secret, 1), []
    for _ in range(2):
        other = Viewer(console)
        await other.sign_in(name)
        await other.get("/sign-in/code")
        answers.append((await other.post("/sign-in/code", {"code": code})).status)
    assert answers == [303, 422]


async def test_a_recovery_code_is_good_once_and_the_others_stay(server: Server, console: str) -> None:
    name, viewer = await signed_in(console, server.database)
    _secret, codes = await enrolled(viewer)
    answers = []
    for code in (codes[0].upper(), codes[0], f" {codes[1]} "):
        other = Viewer(console)
        await other.sign_in(name)
        await other.get("/sign-in/code")
        answers.append((await other.post("/sign-in/code", {"code": code})).status)
    assert answers == [303, 422, 303]
    assert "8 recovery codes are left" in (await viewer.get("/you")).words


async def half_signed_in(console: str, name: str) -> Viewer:
    viewer = Viewer(console)
    assert (await viewer.sign_in(name)).goes_to.startswith("/sign-in/code")
    await viewer.get("/sign-in/code")
    return viewer


async def test_five_wrong_codes_end_the_half_session(server: Server, console: str) -> None:
    name, viewer = await signed_in(console, server.database)
    secret, _codes = await enrolled(viewer)
    half = await half_signed_in(console, name)
    token, form_token = half.cookies["homing_session"], half.form_token

    async def guess(code: str) -> str:
        """From an address of its own, as who guesses has many."""
        other = Viewer(console, cookies=dict(half.cookies))
        answer = await other.post("/sign-in/code", {"code": code, "form_token": form_token})
        return answer.goes_to if answer.status == 303 else answer.words

    answers = await asyncio.gather(*(guess("000000") for _ in range(limits.CONSOLE_CODE_ATTEMPTS_MAX + 5)))
    assert sum("The code is wrong" in answer for answer in answers) < limits.CONSOLE_CODE_ATTEMPTS_MAX
    assert any(answer == "/sign-in" for answer in answers)
    assert await guess(code_of(secret, 1)) != "/", "the right one comes too late"
    assert (await half.get("/sign-in/code")).goes_to == "/sign-in"
    rows = await server.query("SELECT FROM console_session WHERE token = $1", digest(token))
    assert not rows
    again = await half_signed_in(console, name)
    done = await again.post("/sign-in/code", {"code": code_of(secret, 1)})
    assert "change it" in (await again.follow(done)).words, "the user is told of what was tried"


async def test_after_twenty_wrong_codes_of_a_user_none_is_looked_at_for_an_hour(server: Server, console: str) -> None:
    name, viewer = await signed_in(console, server.database)
    secret, _codes = await enrolled(viewer)
    sessions = limits.CONSOLE_USER_CODE_ATTEMPTS_MAX // limits.CONSOLE_CODE_ATTEMPTS_MAX
    for session in range(2):
        if session:  # each wrong code delays the next one: those in between are not waited for
            await server.query(
                "UPDATE console_codes SET codes_wrong = codes_wrong * $2, untold = untold * $2"
                " WHERE user_id = (SELECT user_id FROM console_user WHERE name = $1)",
                name,
                sessions - 1,
            )
        half = await half_signed_in(console, name)
        for _ in range(limits.CONSOLE_CODE_ATTEMPTS_MAX):
            other = Viewer(console, cookies=dict(half.cookies))
            await other.post("/sign-in/code", {"code": "000000", "form_token": half.form_token})
    half = await half_signed_in(console, name)
    assert "for the rest of the hour" in (await half.post("/sign-in/code", {"code": code_of(secret, 1)})).words
    await server.query(
        "UPDATE console_codes SET since = now() - interval '61 minutes'"
        " WHERE user_id = (SELECT user_id FROM console_user WHERE name = $1)",
        name,
    )
    half = await half_signed_in(console, name)
    done = await half.post("/sign-in/code", {"code": code_of(secret, 1)})
    assert done.goes_to == "/"
    assert (
        f"Since your last sign-in, {limits.CONSOLE_USER_CODE_ATTEMPTS_MAX} wrong codes"
        in (await half.follow(done)).words
    )
    assert (await viewer.get("/")).status == 200, "whoever was signed in stays so"


async def test_a_wrong_code_while_setting_up_leaves_the_secret_that_the_app_has(server: Server, console: str) -> None:
    _name, viewer = await signed_in(console, server.database)
    secret = SECRET.search((await viewer.get("/you/second-factor")).text)
    assert secret
    answer = await viewer.post("/you/second-factor", {"totp_secret": secret[1], "code": "000000", "password": PASSWORD})
    assert answer.status == 422
    again = SECRET.search(answer.text)
    assert again
    assert again[1] == secret[1]
    without = await viewer.post("/you/second-factor", {"totp_secret": secret[1], "code": code_of(secret[1])})
    assert "Wrong password." in without.words
    assert "Off: anyone who knows" in (await viewer.get("/you")).words


async def test_the_second_factor_goes_with_the_password_alone(server: Server, console: str) -> None:
    name, viewer = await signed_in(console, server.database)
    await enrolled(viewer)
    await viewer.get("/you")
    assert (await viewer.post("/you", {"do": "forget_second_factor", "password": "x"})).status == 422
    assert (await viewer.post("/you", {"do": "forget_second_factor", "password": PASSWORD})).goes_to == "/you"
    assert (await Viewer(console).sign_in(name)).goes_to == "/"


async def test_a_link_changes_the_password_and_leaves_the_second_factor(server: Server, console: str) -> None:
    name, viewer = await signed_in(console, server.database)
    await enrolled(viewer)
    row = await server.query_row("SELECT user_id FROM console_user WHERE name = $1", name)
    async with server.database.transaction() as transaction:
        token = await make_link(transaction, row["user_id"])
    other = Viewer(console)
    assert (await accept(other, f"/welcome/{token}", name, "the new password")).goes_to == "/sign-in"
    assert (await other.get("/")).goes_to == "/sign-in"
    assert (await other.sign_in(name, "the new password")).goes_to.startswith("/sign-in/code")


# ---- Changes that nobody meant


async def test_a_name_that_is_not_the_consoles_is_not_served(server: Server, console: str) -> None:
    """A page elsewhere whose name was pointed at this address would be of the same origin (DNS rebinding)."""
    _name, viewer = await signed_in(console, server.database)
    assert (await viewer.get("/you")).status == 200
    for path in ("/you", "/sign-in", "/nowhere"):
        refused = await viewer.get(path, host="evil.example")
        assert (refused.status, "console.url" in refused.text) == (421, True), path
    own = {"do": "end_sessions", "form_token": viewer.form_token}
    assert (await viewer.post("/you", own, host="evil.example", origin="http://evil.example")).status == 421
    assert (await viewer.get("/you", host="localhost")).status == 200


async def test_a_stranger_sends_no_more_than_a_form_of_his_needs(server: Server, console: str) -> None:
    stranger = Viewer(console)
    await stranger.get("/sign-in")
    large = "x" * CONSOLE_STRANGER_BODY_BYTES_MAX
    refused = await stranger.post("/sign-in", {"name": "ada", "password": large, "next": "/"})
    assert "form is too large" in refused.words


async def test_one_user_does_not_hold_all_streams(server: Server, console: str) -> None:
    _name, viewer = await signed_in(console, server.database)
    _name, other = await signed_in(console, server.database)
    async with contextlib.AsyncExitStack() as open_streams:
        for _ in range(CONSOLE_VIEWERS_PER_USER_MAX):
            events = await open_streams.enter_async_context(stream(viewer, "/live"))
            assert await events.readuntil(b"\n\n") == b"retry: 3000\n\n"
        events = await open_streams.enter_async_context(stream(viewer, "/live"))
        assert await events.readuntil(b"\n\n") == b"retry: 30000\n\n"
        events = await open_streams.enter_async_context(stream(other, "/live"))
        assert await events.readuntil(b"\n\n") == b"retry: 3000\n\n"


async def test_console_answers_do_not_name_the_software(server: Server, console: str) -> None:
    answer = await Viewer(console).get("/sign-in")
    assert answer.headers.getall("server") == ["http"]


async def test_a_change_needs_the_sessions_own_token(server: Server, console: str) -> None:
    _name, viewer = await signed_in(console, server.database)
    _other_name, other = await signed_in(console, server.database)
    await viewer.get("/you")
    await other.get("/you")
    for token in ("", "x", other.form_token, viewer.form_token[:-1]):
        answer = await viewer.post("/you", {"do": "end_sessions", "form_token": token})
        assert answer.status == 403
        assert "Nothing was changed" in answer.words
    assert (await viewer.post("/you", {"do": "end_sessions"})).goes_to == "/you"


async def test_a_token_of_before_the_sign_in_is_worth_nothing_after_it(server: Server, console: str) -> None:
    name, _viewer = await signed_in(console, server.database)
    viewer = Viewer(console)
    await viewer.get("/sign-in")
    before = viewer.form_token
    await viewer.sign_in(name)
    assert (await viewer.post("/sign-out", {"form_token": before})).status == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
    ],
    ids=str,
)
async def test_a_change_that_another_site_sends_is_refused(
    headers: dict[str, str], server: Server, console: str
) -> None:
    _name, viewer = await signed_in(console, server.database)
    await viewer.get("/you")
    assert (await viewer.post("/sign-out", **headers)).status == 403
    assert (await viewer.get("/")).status == 200
    own = {"sec_fetch_site": "same-origin", "origin": console}
    assert (await viewer.post("/sign-out", **own)).goes_to == "/sign-in"


@pytest.mark.parametrize(
    "body",
    [b"x=" + b"y" * (CONSOLE_BODY_BYTES_MAX + 1), b"&".join(b"a%d=1" % n for n in range(500)), b"\xff\xfe=1"],
    ids=["large", "many fields", "no text"],
)
async def test_a_form_that_no_page_sends_is_answered_with_a_word(body: bytes, server: Server, console: str) -> None:
    _name, viewer = await signed_in(console, server.database)
    answer = await viewer.post("/you", body)
    assert answer.status in (403, 422)
    assert (await viewer.get("/")).status == 200


# ---- Answers


async def test_every_answer_has_the_headers_and_nothing_inline(server: Server, console: str) -> None:
    _name, viewer = await signed_in(console, server.database)
    stranger = Viewer(console)
    answers = [await stranger.get(path) for path in ("/sign-in", "/", "/nowhere", "/welcome/x", "/favicon.ico")]
    answers += [await viewer.get(path) for path in ("/", "/?span=30d", "/audit", "/you", "/you/second-factor", "/x")]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert "referrer-policy" in answer.headers
        if answer.headers.get("content-type", "").startswith("text/html"):
            assert answer.headers["cache-control"] == "no-store"
            assert INLINE.findall(answer.text) == []
    script = re.search(r'src="(/static/[^"]+\.js)"', answers[0].text)
    assert script
    assert "immutable" in (await stranger.get(script[1])).headers["cache-control"]


async def test_who_is_not_signed_in_sees_nothing(server: Server, console: str) -> None:
    for path in ("/", "/audit", "/you", "/you/second-factor", "/live"):
        assert (await Viewer(console).get(path)).goes_to.startswith("/sign-in")
    stranger = Viewer(console)
    await stranger.get("/sign-in")
    assert (await stranger.post("/you", {"do": "end_sessions"})).goes_to == "/sign-in"


async def test_a_role_learns_nothing_of_pages_that_are_not_its(server: Server, console: str) -> None:
    account = await server.account()
    _name, support = await signed_in(console, server.database, UserRole.SUPPORT)
    _name, customer = await signed_in(console, server.database, UserRole.CUSTOMER, account.account_id)
    for viewer in (support, customer):
        assert (await viewer.get("/audit")).status == 404
        start = await viewer.get("/")
        assert start.status == 200
        assert "/audit" not in start.text
    assert "By carrier" not in (await customer.get("/")).words


# ---- What is recorded


async def test_signing_in_and_out_and_failing_to_is_recorded_with_the_address(server: Server, console: str) -> None:
    name, viewer = await signed_in(console, server.database)
    other = Viewer(console)
    await other.sign_in(name, "wrong password")
    await viewer.get("/")
    await viewer.post("/sign-out")
    rows = await server.query(
        "SELECT act, address, actor FROM audit WHERE kind = 'console_user' AND subject = $1 AND act LIKE 'sign%'"
        " ORDER BY audit_id",
        name,
    )
    assert [tuple(row) for row in rows] == [
        ("sign_in", viewer.address, name),
        ("sign_in_failed", other.address, name),
        ("sign_out", viewer.address, name),
    ]


async def test_what_was_typed_as_an_unknown_name_is_recorded_nowhere(server: Server, console: str) -> None:
    await Viewer(console).sign_in("my-password-by-mistake", "x")
    assert await server.query("SELECT FROM audit WHERE to_jsonb(audit)::text LIKE '%by-mistake%'") == []
    assert "by-mistake" not in server.logs


# ---- Live


async def test_a_stream_tells_that_something_changed_and_ends_with_the_process(server: Server) -> None:
    address = f"127.0.0.1:{free_port()}"
    process = await server.start("console", "console-live", HOMING_CONSOLE_ADDRESS=address)
    _name, viewer = await signed_in(f"http://{address}", server.database)
    account = await server.account()
    async with stream(viewer, "/live") as events, in_time():
        assert await events.readline() == b"retry: 3000\n"
        seen = b""
        while b"event: changed" not in seen:
            seen += await events.readline()
        await server.client.laaffic(
            account, "GET", "/v3/sendSms", {"appId": account.app, "numbers": "8613800130001", "content": "x"}
        )
        seen = b""
        while b"event: changed" not in seen:
            seen += await events.readline()
        started_s = time.monotonic()
        assert await process.stop() == 0, "an open stream does not hold up the end"
        assert time.monotonic() - started_s < limits.DRAIN_TIMEOUT_S / 2
