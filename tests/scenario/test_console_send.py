"""The composer: sent for real and once, priced before, and a code that is entered where it was sent."""

import asyncio
import re
from collections.abc import Mapping

import pytest

from homing.model import UserRole
from homing.text.segments import count
from tests.support.server import NO_ROUTE, QUEUED, Account, Server
from tests.support.viewer import Viewer, signed_in

NUMBER = f"{QUEUED}81234567"


@pytest.fixture
async def account(server: Server) -> Account:
    return await server.account()


@pytest.fixture
async def customer(server: Server, console: str, account: Account) -> Viewer:
    _name, viewer = await signed_in(console, server.database, UserRole.CUSTOMER, account.account_id)
    return viewer


async def form(viewer: Viewer, path: str = "/send", **values: str) -> Mapping[str, str]:
    """The form as it was shown, filled in."""
    seen = await viewer.get(path)
    (once,) = set(re.findall(r'name="once" value="([^"]+)"', seen.text))
    return {"once": once, **values}


def id_in(place: str) -> int:
    return int(place.rpartition("/")[2])


async def test_a_message_is_sent_charged_audited_and_once(server: Server, account: Account, customer: Viewer) -> None:
    values = await form(customer, do="send", to=f"+{NUMBER}", text="Line one\r\nline two", sender="HOMING", app="")
    answers = await asyncio.gather(*(customer.twin().post("/send", values) for _click in range(8)))
    places = {answer.goes_to for answer in answers}
    assert len(places) == 1, "a form is sent once"
    row = await server.query_row("SELECT * FROM message WHERE account_id = $1", account.account_id)
    assert (row["message_id"], row["text"], row["number"]) == (id_in(places.pop()), "Line one\nline two", NUMBER)
    assert row["charge_micro"] > 0
    assert "Line one" in (await customer.get(f"/messages/{row['message_id']}")).words
    (act,) = await server.query("SELECT * FROM audit WHERE account_id = $1 AND act = 'send_test'", account.account_id)
    assert (act["kind"], act["subject"]) == ("message", str(row["message_id"]))
    again = await customer.post("/send", {**values, "text": "another"})
    assert again.status == 422
    assert "This form was sent already" in again.words
    assert (await server.holdings(account))[0] == 1


async def test_segments_and_price_are_the_servers(server: Server, account: Account, customer: Viewer) -> None:
    before = await server.holdings(account)
    for text, encoding, left in (
        ("a" * 150, "GSM 7 bit", 10),
        ("a" * 161, "GSM 7 bit", 145),
        ("你" * 69, "Unicode", 1),
    ):
        values = await form(customer, do="preview", to=NUMBER, text=text, sender="", app="")
        seen = await customer.post("/send", values)
        assert seen.status == 200
        assert f"Encoding {encoding} Segments {count(text).parts}" in seen.words
        assert ("One character" if left == 1 else f"{left} characters") in seen.words
        assert count(text + "a" * left).parts == count(text).parts
        assert count(text + "a" * (left + 1)).parts == count(text).parts + 1
        assert "Price $" in seen.words
    assert await server.holdings(account) == before, "nothing is sent or charged"
    refused = await customer.post("/send", {**values, "to": f"{NO_ROUTE}8123456789"})
    assert "no price or no route for this destination" in refused.words


async def test_a_templates_variables_have_fields_and_a_preview_and_are_filled_in(server: Server, console: str) -> None:
    account = await server.account(templates={"code": "Hi {V1}, your code is {V2}. Bye {V1}", "closed": "Closed today"})
    _name, customer = await signed_in(console, server.database, UserRole.CUSTOMER, account.account_id)
    with_variables, without = (f"/send?template={template_id}" for template_id in account.templates)
    assert ">\nClosed today</textarea>" in (await customer.get(without)).text
    shown = await customer.get(with_variables)
    assert re.findall(r'id="f-(V\d)"', shown.text) == ["V1", "V2"]
    assert "Hi {V1}, your code is {V2}. Bye {V1}" in shown.words
    assert 'id="f-text"' not in shown.text
    (template_id,) = re.findall(r'name="message_template" value="(\d+)"', shown.text)
    values = await form(customer, with_variables, to=NUMBER, message_template=template_id, sender="", app="")
    half = await customer.post("/send", {**values, "do": "preview", "V1": "Ann", "V2": ""})
    assert "Text Hi Ann, your code is {V2}. Bye Ann" in half.words
    assert "Fill in V2." in half.words
    whole = await customer.post("/send", {**values, "do": "preview", "V1": "Ann", "V2": "4 7 1" * 28})
    assert "Segments 2" in whole.words
    assert "Price $" in whole.words
    refused = await customer.post("/send", {**values, "do": "send", "V1": "Ann", "V2": ""}, accept_language="zh-TW")
    assert refused.status == 422
    assert "請填寫 V2。" in refused.words
    assert 'name="V1" type="text" value="Ann"' in refused.text
    assert (
        "V2 is longer than 256 characters."
        in (await customer.post("/send", {**values, "do": "send", "V1": "a", "V2": "x" * 257})).words
    )
    gone = await customer.post("/send", {**values, "do": "send", "message_template": "0", "V1": "a", "V2": "b"})
    assert "This template no longer exists." in gone.words
    sent = await customer.post("/send", {**values, "do": "send", "V1": "Ann", "V2": "471"})
    row = await server.query_row("SELECT text FROM message WHERE message_id = $1", id_in(sent.goes_to))
    assert row["text"] == "Hi Ann, your code is 471. Bye Ann"


async def test_what_is_refused_says_why_and_keeps_what_was_written(server: Server, customer: Viewer) -> None:
    for changed, words in (
        ({"to": "12"}, "the number is not valid"),
        ({"to": "0138001300"}, "lacks its country code"),
        ({"text": "  "}, "the text is empty"),
        ({"sender": "NOPE"}, "is not registered"),
        ({"to": f"{NO_ROUTE}8123456789"}, "no price or no route"),
        ({"once": ""}, "could not be read"),
    ):
        values = await form(customer, do="send", to=NUMBER, text="my own words", sender="", app="")
        seen = await customer.post("/send", {**values, **changed})
        assert seen.status == 422
        assert words in seen.words
        assert changed.get("text", "my own words") in seen.text
    seen = await customer.post("/send", {**values, "to": "12"}, accept_language="zh-TW")
    assert "已拒絕，未傳送也未扣款：號碼無效" in seen.words


async def test_an_account_without_money_or_locked_sends_nothing(server: Server, console: str) -> None:
    for given, words in (({"balance": "0"}, "does not cover"), ({"locked": True}, "The account is locked")):
        account = await server.account(**given)
        _name, customer = await signed_in(console, server.database, UserRole.CUSTOMER, account.account_id)
        values = await form(customer, do="send", to=NUMBER, text="x", sender="", app="")
        assert words in (await customer.post("/send", values)).words
        assert (await server.holdings(account))[0] == 0


async def test_a_code_is_sent_entered_and_counted(server: Server, account: Account, customer: Viewer) -> None:
    values = await form(customer, do="verify", person=NUMBER, template="", person_sender="", person_app="")
    answers = await asyncio.gather(*(customer.twin().post("/send", values) for _click in range(4)))
    (place,) = {answer.goes_to for answer in answers}
    row = await server.query_row("SELECT text FROM message WHERE message_id = $1", id_in(place))
    (code,) = re.findall(r"\d{6}", row["text"])
    await customer.get(place)
    wrong = await customer.follow(await customer.post(place, {"code": "x"}))
    assert "The code is wrong." in wrong.words
    right = await customer.follow(await customer.post(place, {"code": code}))
    assert "The code is right" in right.words
    assert "Verified" in right.words
    assert "Check the code" not in right.words
    conversions = await server.query("SELECT 1 FROM conversion WHERE account_id = $1", account.account_id)
    assert len(conversions) == 1
    assert code not in right.text


async def test_who_may_not_send_cannot(server: Server, console: str, account: Account) -> None:
    _name, support = await signed_in(console, server.database, UserRole.SUPPORT)
    _name, operator = await signed_in(console, server.database)
    path = f"/accounts/{account.name}/send"
    filled = {"do": "send", "to": NUMBER, "text": "x", "sender": "", "app": ""}
    assert (await support.post(path, {**await form(support, path), **filled})).status == 403
    other = await server.account()
    _name, stranger = await signed_in(console, server.database, UserRole.CUSTOMER, other.account_id)
    await stranger.get("/send")
    assert (await stranger.post(path, {"once": "x", **filled})).status == 404
    sent = await operator.post(path, {**await form(operator, path), **filled})
    verification = await operator.post(path, {**await form(operator, path), "do": "verify", "person": NUMBER})
    assert (await server.holdings(account))[0] == 2
    assert (await stranger.post(verification.goes_to, {"code": "123456"})).status == 404
    assert (await support.post(verification.goes_to, {"code": "123456"})).status == 403
    assert sent.goes_to.startswith("/messages/")
    assert (await operator.post(path, {"once": "y", "form_token": "0" * 64, **filled})).status == 403
