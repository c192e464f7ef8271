"""What the lia dialect does for programs that were written for other brands, and what the timeline says of it."""

from tests.support.command import homing
from tests.support.server import Account, Server
from tests.support.waiting import until


async def send(server: Server, account: Account, **more: str) -> dict[str, object]:
    parameters = {"sms_type": "T", "encoding": "T", "phonenumber": "8613800000005", "textmessage": "hi", **more}
    reply = await server.client.lia(account, "SendSMS", sender_id=account.sender, **parameters)
    return dict(reply.json)


async def test_an_operator_lets_an_accounts_texts_go_as_unicode_and_the_timeline_says_so(server: Server) -> None:
    account = await server.account()
    refused = await send(server, account, textmessage="Votre dépôt")
    assert refused["remarks"] == "encoding T cannot carry this text"
    await homing(server.dsn, "account", "set", account.name, "--unicode-fallback", data=server.data)

    async def accepted() -> dict[str, object]:
        return await send(server, account, textmessage="Votre dépôt", encoding="FS")

    sent = await until(accepted, lambda reply: reply["status"] == "S")
    shown = await homing(server.dsn, "message", "show", str(sent["message_id"]), data=server.data)
    assert "UCS2, replaces FS, which cannot encode the text, 1 segment" in shown


async def test_indias_registration_id_in_templateid_goes_with_the_message(server: Server) -> None:
    account = await server.account()
    for more, kept in (
        ({"templateid": "1107160000000000001"}, "1107160000000000001"),
        ({"templateid": "1107160000000000001", "template_id": "own"}, "own"),
    ):
        sent = await send(server, account, **more)
        row = await server.query_row(
            "SELECT notes ->> 'template_id' AS kept FROM message WHERE message_id = $1", sent["message_id"]
        )
        assert row["kept"] == kept
    too_long = await send(server, account, templateid="1" * 65)
    assert too_long["remarks"] == "Invalid templateid"


async def test_an_operator_looks_a_number_up_however_it_is_written(server: Server) -> None:
    account = await server.account()
    sent = await send(server, account, phonenumber="008613800000005")
    assert sent["status"] == "S"
    explained = {
        (await homing(server.dsn, "route", "explain", written, data=server.data)).splitlines()[0].split()[-1]
        for written in ("8613800000005", "008613800000005", "+008613800000005", "+86 138 0000 0005")
    }
    assert explained == {"8613800000005"}
    refused = await homing(server.dsn, "route", "explain", "013800000005", data=server.data, status=2)
    assert "starts with 0" in refused


async def test_a_sender_that_is_a_number_is_the_same_with_its_plus_and_without(server: Server) -> None:
    account = await server.account()
    await homing(server.dsn, "sender", "add", account.name, "+447700900777", data=server.data)
    await homing(server.dsn, "sender", "add", account.name, "447700900888", data=server.data)
    kept = []
    for asked in ("447700900777", "+447700900777", " 447700900777", "+447700900888"):
        reply = await server.client.lia(
            account,
            "SendSMS",
            sms_type="T",
            encoding="T",
            sender_id=asked,
            phonenumber="8613800000005",
            textmessage="hi",
        )
        assert reply.json["status"] == "S", (asked, reply.json)
        row = await server.query_row("SELECT sender FROM message WHERE message_id = $1", reply.json["message_id"])
        kept.append(row["sender"])
    assert kept == ["+447700900777"] * 3 + ["447700900888"]
    body = {"appId": account.app, "numbers": "8613800000005", "content": "hi", "senderId": "447700900777"}
    sent = (await server.client.laaffic(account, "POST", "/v3/sendSms", body=body)).json
    row = await server.query_row(
        "SELECT sender, notes FROM message WHERE message_id = $1", int(sent["array"][0]["msgId"])
    )
    assert (row["sender"], "sender_asked" in str(row["notes"])) == ("+447700900777", False)
