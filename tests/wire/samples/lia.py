# ruff: noqa: T201 - a sample shows what it gets
"""The lia dialect from Python alone: send, wait for the delivery, report the conversion, read the balance."""

import http.client
import json
import os
import time
from typing import Any
from urllib.parse import urlencode, urlsplit

CREDENTIALS = {"api_id": os.environ["API_ID"], "api_password": os.environ["API_PASSWORD"]}


def call(path: str, **parameters: str) -> dict[str, Any]:
    connection = http.client.HTTPConnection(urlsplit(os.environ["HOMING_URL"]).netloc, timeout=10)
    connection.request("GET", f"{path}?{urlencode({**CREDENTIALS, **parameters})}")
    reply: dict[str, Any] = json.loads(connection.getresponse().read())
    connection.close()
    return reply


sent = call(
    "/api/SendSMS",
    sms_type="T",
    encoding="T",
    sender_id=os.environ["SENDER_ID"],
    phonenumber=os.environ["PHONE_NUMBER"],
    textmessage="Your code is 1234",
    uid="sample-1",
)
print(json.dumps(sent))

for _ in range(100):
    status = call("/api/GetDeliveryStatus", message_id=sent["message_id"])
    if status["DLRStatus"] == "Delivered":
        break
    time.sleep(0.1)
print(json.dumps(status))

print(json.dumps(call("/api/CTrack", message_id=sent["message_id"], status="true")))
print(json.dumps(call("/api/CheckBalance")))
