# ruff: noqa: T201 - a sample shows what it gets
"""The laaffic dialect from Python alone: send, wait for the delivery, report the conversion, read the balance."""

import hashlib
import http.client
import json
import os
import time
from typing import Any
from urllib.parse import urlencode, urlsplit

KEY, SECRET, APP = os.environ["API_KEY"], os.environ["API_SECRET"], os.environ["APP_ID"]


def call(method: str, path: str, parameters: dict[str, Any]) -> dict[str, Any]:
    timestamp = str(int(time.time()))
    headers = {
        "Content-Type": "application/json;charset=UTF-8",
        "Api-Key": KEY,
        "Timestamp": timestamp,
        "Sign": hashlib.md5((KEY + SECRET + timestamp).encode()).hexdigest(),
    }
    body = json.dumps(parameters) if method == "POST" else None
    target = path if method == "POST" else f"{path}?{urlencode(parameters)}"
    connection = http.client.HTTPConnection(urlsplit(os.environ["HOMING_URL"]).netloc, timeout=10)
    connection.request(method, target, body, headers)
    reply: dict[str, Any] = json.loads(connection.getresponse().read())
    connection.close()
    return reply


number = os.environ["PHONE_NUMBER"]
sent = call(
    "POST",
    "/v3/sendSms",
    {"appId": APP, "numbers": number, "content": "Your code is 1234", "orderId": "sample-1"},
)
print(json.dumps(sent))

message_id = sent["array"][0]["msgId"]
for _ in range(100):
    report = call("GET", "/v3/getReport", {"appId": APP, "msgIds": message_id})
    if report["success"] == "1":
        break
    time.sleep(0.1)
print(json.dumps(report))

used = {"appId": APP, "msgid": message_id, "number": number, "time": str(int(time.time()))}
print(json.dumps(call("POST", "/v3/postback/backfill", used)))
print(json.dumps(call("GET", "/v3/getBalance", {})))
