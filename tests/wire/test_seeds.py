"""The two vendors' own samples, cut out of their documents, run as programs against this server.

Nothing is changed in them but the base URL, the stray indentation and line ends of the printed page, and the
placeholders that stand for the reader's own credentials. The lia document calls `/api/CheckBalance` in its samples for
CTrack; each is run as printed, and again with the path that its heading gives.
"""

import asyncio
import hashlib
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.seeds import LAAFFIC, LIA, cut, document
from tests.support.server import Account, Server

SHIMS = Path(__file__).parent / "samples" / "shims"
MAVEN = Path.home() / ".m2" / "repository"
RUN_S = 60.0


def tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed on this machine")
    return path


async def run(*command: str, folder: Path, environment: dict[str, str] | None = None, must: bool = True) -> str:
    """Runs a program; what it printed."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env={**os.environ, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", **(environment or {})},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(RUN_S):
        out, err = await process.communicate()
    assert process.returncode == 0 or not must, f"{command[0]} ended with {process.returncode}\n{err.decode()[-3000:]}"
    return out.decode()


# --- the ways to run a sample ------------------------------------------------------------------------------

Runner = Callable[[str, Path], Awaitable[str]]
"""Runs a sample in a folder; what it printed."""


async def python(program: str, folder: Path) -> str:
    (folder / "sample.py").write_text(program, encoding="utf-8")
    return await run(sys.executable, "sample.py", folder=folder)


async def python_with_requests(program: str, folder: Path) -> str:
    pytest.importorskip("requests", reason="the Python package requests is not installed on this machine")
    return await python(program, folder)


async def bash(program: str, folder: Path) -> str:
    tool("curl")
    (folder / "sample.sh").write_text(program, encoding="utf-8")
    return await run(tool("bash"), "sample.sh", folder=folder)


async def node(program: str, folder: Path) -> str:
    (folder / "sample.js").write_text(program, encoding="utf-8")
    return await run(tool("node"), "--require", str(SHIMS / "xmlhttprequest.js"), "sample.js", folder=folder)


async def php(program: str, folder: Path) -> str:
    """PHP says `Warning`s on its output where the vendor's code is older than it; they stay there."""
    found = await run(tool("php"), "-r", "echo function_exists('curl_init') ? 'yes' : 'no';", folder=folder)
    if found != "yes":
        pytest.skip("PHP is installed on this machine without its curl extension")
    (folder / "sample.php").write_text(
        program if program.startswith("<?php") else "<?php\n" + program, encoding="utf-8"
    )
    return await run(tool("php"), "sample.php", folder=folder)


async def php_with_http_request2(program: str, folder: Path) -> str:
    found = await run(tool("php"), "-r", "echo stream_resolve_include_path('HTTP/Request2.php') ?: '';", folder=folder)
    if not found:
        pytest.skip("the PEAR package HTTP_Request2 is not installed on this machine")
    (folder / "sample.php").write_text(program, encoding="utf-8")
    return await run(tool("php"), "sample.php", folder=folder)


async def okhttp(program: str, folder: Path) -> str:
    """The printed statements in a class that shows what they received."""
    jars = [
        max(MAVEN.glob(f"{path}/*/{jar}-*.jar"), default=None)
        for path, jar in (
            ("com/squareup/okhttp3/okhttp", "okhttp"),
            ("com/squareup/okio/okio-jvm", "okio-jvm"),
            ("org/jetbrains/kotlin/kotlin-stdlib", "kotlin-stdlib"),
        )
    ]
    if None in jars:
        pytest.skip("the Java library OkHttp (with okio and kotlin-stdlib) is not in this machine's Maven repository")
    tool("javac")
    (folder / "Sample.java").write_text(
        "import okhttp3.*;\npublic class Sample { public static void main(String[] a) throws Exception {\n"
        f"{program}\nSystem.out.println(response.body().string());\n"
        "client.dispatcher().executorService().shutdown(); client.connectionPool().evictAll(); } }\n",
        encoding="utf-8",
    )
    return await run(
        tool("java"), "-XX:TieredStopAtLevel=1", "-cp", os.pathsep.join(map(str, jars)), "Sample.java", folder=folder
    )


async def hutool(program: str, folder: Path) -> str:
    jar = max(MAVEN.glob("cn/hutool/hutool-all/*/hutool-all-*.jar"), default=None)
    if jar is None:
        pytest.skip("the Java library hutool is not in this machine's Maven repository")
    body = program.replace("package com.laaffic.api.demo.sms;", "").replace("private void", "static void")
    imports, _brace, method = body.partition("static void")
    (folder / "Sample.java").write_text(
        f"{imports}\npublic class Sample {{\npublic static void main(String[] a) {{ getBalance(); }}\n"
        f"static void{method}}}\n",
        encoding="utf-8",
    )
    return await run(tool("java"), "-cp", str(jar), "Sample.java", folder=folder)


# --- lia ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sample:
    """Where a sample is in the document, how it runs, and what it prints of the answer."""

    name: str
    start: str
    end: str
    runner: Runner
    nth: int = 0
    shows_body: bool = True


LIA_SAMPLES = [
    Sample("get-php-http-request2", "<?php", "}", php_with_http_request2),
    Sample("get-java-okhttp", "OkHttpClient client", "Response response", okhttp),
    Sample("get-curl", "curl --location", "curl --location", bash),
    Sample("get-python-http-client", "import http.client", "print(", python),
    Sample("post-php-curl", "<?php", "?>", php, nth=1),
    Sample("post-javascript", "var url", "xhr.send", node),
    Sample("post-curl", "#!/bin/bash", "DATA", bash),
    Sample("post-python-requests", "import requests", "print(", python_with_requests, shows_body=False),
]


def lia_program(sample: Sample, server: Server) -> str:
    text = document(LIA)
    if sample.name == "get-php-http-request2":
        program = cut(text, "<?php", "OkHttpClient").rpartition("OkHttpClient")[0]
    else:
        program = cut(text, sample.start, sample.end, sample.nth)
    return program.replace("https://api.liasmart.com", server.url).replace(
        'HTTPSConnection("api.liasmart.com")', f'HTTPConnection("127.0.0.1", {server.port})'
    )


def credentials(program: str, account: Account, message_id: str = "4134") -> str:
    """The reader's own credentials in the places that the document leaves for them."""
    return (
        program.replace("YourApiId", account.api_id)
        .replace("YourApiPassword", account.api_password)
        .replace(
            "api_id=API4623444906&api_password=password@123",
            f"api_id={account.api_id}&api_password={account.api_password}",
        )
        .replace("4134", message_id)
    )


@pytest.mark.parametrize("sample", LIA_SAMPLES, ids=lambda sample: sample.name)
async def test_a_lia_sample_as_printed_is_a_balance_query(sample: Sample, server: Server, tmp_path: Path) -> None:
    program = credentials(lia_program(sample, server), server.demo)
    assert "api.liasmart.com" not in program
    printed = await sample.runner(program, tmp_path)
    if sample.shows_body:
        assert '"CurrenceCode":"USD"' in printed
        assert re.search(r'"BalanceAmount":\d+(\.\d+)?,', printed)
    else:
        assert printed.strip() == "200"


@pytest.mark.parametrize("sample", LIA_SAMPLES, ids=lambda sample: sample.name)
async def test_a_lia_sample_with_the_headings_path_reports_a_conversion(
    sample: Sample, server: Server, tmp_path: Path
) -> None:
    account = await server.account()
    sent = await server.client.lia(
        account,
        "SendSMS",
        sms_type="T",
        encoding="T",
        sender_id="HOMING",
        phonenumber="8613800000005",
        textmessage="Your code is 1234",
    )
    message_id = sent.json["message_id"]
    program = credentials(lia_program(sample, server), account, str(message_id))
    printed = await sample.runner(program.replace("/api/CheckBalance", "/api/CTrack"), tmp_path)
    if sample.shows_body:
        assert '{"ErrorCode":1000,"ErrorDescription":"OK"}' in printed
    again = await server.client.lia(account, "CTrack", message_id=message_id, status="true")
    assert again.json["ErrorCode"] == 1009, "the sample's report was not recorded"


async def test_the_documents_table_of_answers_is_ours(server: Server) -> None:
    """Code by code, the texts that the document prints are those that the server says."""
    listed = dict(re.findall(r'ErrorCode = (\d{4}); ErrorDescription = "([^"]+)"', document(LIA)))
    assert len(listed) == 10
    account = await server.account()
    sent = await server.client.lia(
        account, "SendSMS", sms_type="T", encoding="T", sender_id="HOMING", phonenumber="8613800000005", textmessage="x"
    )
    own: dict[str, object] = {"api_id": account.api_id, "api_password": account.api_password}
    mine = {"message_id": sent.json["message_id"]}
    calls: list[dict[str, object]] = [
        {**own, **mine, "status": "true"},
        {},
        {"api_id": "x"},
        {"api_id": "x", "api_password": "y"},
        {**own, "api_password": "y"},
        own,
        {**own, "status": "no"},
        {**own, "status": "true"},
        {**own, "status": "true", "message_id": "4134"},
        {**own, **mine, "status": "true"},
    ]
    for code, parameters in zip(sorted(listed), calls, strict=True):
        body = json.dumps(parameters).encode()
        reply = await server.client.call("POST", "/api/CTrack", headers={"Content-Type": "application/json"}, body=body)
        assert reply.json == {"ErrorCode": int(code), "ErrorDescription": listed[code]}


# --- laaffic -----------------------------------------------------------------------------------------------


def laaffic_program(start: str, end: str, server: Server) -> str:
    program = cut(document(LAAFFIC), start, end)
    program = program.replace("https://api.laaffic.com", server.url)
    return program.replace("your api key", server.demo.key).replace("your api secret", server.demo.secret)


def printed_balance() -> dict[str, str]:
    """The document's sample answer."""
    text = document(LAAFFIC)
    sample: dict[str, str] = json.loads(text[text.rindex("{") : text.rindex("}") + 1])
    return sample


async def test_the_laaffic_php_sample_reads_the_balance(server: Server, tmp_path: Path) -> None:
    printed = await php(laaffic_program("$apiKey", "echo $output;", server), tmp_path)
    assert json.loads(printed[printed.rindex("{") :]) == printed_balance()


async def test_the_laaffic_curl_sample_reads_the_balance(server: Server, tmp_path: Path) -> None:
    """The page breaks the command into lines without continuing them, and leaves three places to fill in."""
    program = " ".join(cut(document(LAAFFIC), "curl -X GET", "-H 'Content-Type").split("\n"))
    timestamp = str(int(time.time()))
    sign = hashlib.md5(f"{server.demo.key}{server.demo.secret}{timestamp}".encode(), usedforsecurity=False).hexdigest()
    for place, value in (("{datetime}", timestamp), ("{apiKey}", server.demo.key), ("{sign}", sign)):
        assert place in program
        program = program.replace(place, value)
    printed = await bash(program.replace("https://api.laaffic.com", server.url) + "\n", tmp_path)
    assert printed == '{"status":"0","reason":"success","balance":"99.990000","gift":"50.00000","credit":"0"}'


async def test_the_laaffic_python_sample_reads_the_balance(server: Server, tmp_path: Path) -> None:
    program = laaffic_program("import hashlib", "  print(res)", server)
    mended = program.replace(
        "    res = json.loads", "  res = json.loads"
    )  # the page indents two lines of one block apart
    assert mended != program
    printed = (await python_with_requests(mended, tmp_path)).splitlines()
    assert printed[0] == f"{server.url}/v3/getBalance"
    assert printed[1] == str(printed_balance())


async def test_the_laaffic_java_sample_reads_the_balance(server: Server, tmp_path: Path) -> None:
    printed = await hutool(laaffic_program("package com.laaffic", "}", server), tmp_path)
    assert json.loads(printed.splitlines()[-1]) == printed_balance()


async def test_the_laaffic_request_as_printed_is_right_but_long_past(server: Server) -> None:
    """The request of the document, headers and all."""
    headers = dict(re.findall(r"^ {4}(Content-Type|Sign|Timestamp|Api-Key): (.+)$", document(LAAFFIC), re.MULTILINE))
    assert len(headers) == 4
    assert (await server.client.call("GET", "/v3/getBalance", headers=headers)).json["status"] == "-16"


# --- our own equivalents -----------------------------------------------------------------------------------

OWN = Path(__file__).parent / "samples"
PROGRAMS = {
    "python": [sys.executable],
    "bash": ["bash"],
    "php": ["php"],
    "node": ["node"],
}
SUFFIXES = {".py": "python", ".sh": "bash", ".php": "php", ".mjs": "node"}


@pytest.mark.parametrize("path", sorted(p for p in OWN.iterdir() if p.suffix in SUFFIXES), ids=lambda path: path.name)
async def test_our_own_sample_goes_the_whole_way(path: Path, server: Server, tmp_path: Path) -> None:
    """Each sends a message, waits for its delivery, reports the conversion and reads the balance, a line for each."""
    program = SUFFIXES[path.suffix]
    command = [sys.executable] if program == "python" else [tool(program)]
    if program == "bash":
        tool("curl")
    account = await server.account(balance="5")
    environment = {
        "HOMING_URL": server.url,
        "API_ID": account.api_id,
        "API_PASSWORD": account.api_password,
        "API_KEY": account.key,
        "API_SECRET": account.secret,
        "APP_ID": account.app,
        "SENDER_ID": account.sender,
        "PHONE_NUMBER": "8613800000001",
    }
    printed = (await run(*command, str(path), folder=tmp_path, environment=environment)).strip().splitlines()
    sent, delivered, converted, balance = (json.loads(line) for line in printed)
    if path.stem == "lia":
        assert sent == {
            "message_id": sent["message_id"],
            "status": "S",
            "remarks": "Message Submitted Sucessfully",
            "uid": "sample-1",
        }
        assert delivered["DLRStatus"] == "Delivered"
        assert converted == {"ErrorCode": 1000, "ErrorDescription": "OK"}
        assert balance == {"BalanceAmount": 4.969, "CurrenceCode": "USD", "Message": "OK"}
    else:
        assert (sent["status"], sent["success"], sent["array"][0]["orderId"]) == ("0", "1", "sample-1")
        assert delivered["array"][0]["status"] == "0"
        assert converted == {"status": "0", "reason": "success"}
        assert balance["balance"] == "4.969000"
