// The laaffic dialect from Node's fetch: send, wait for the delivery, report the conversion, read the balance.
import { createHash } from "node:crypto";
import { setTimeout } from "node:timers/promises";

const { HOMING_URL, API_KEY, API_SECRET, APP_ID, PHONE_NUMBER } = process.env;

async function call(path, body) {
  const timestamp = String(Math.floor(Date.now() / 1000));
  const response = await fetch(HOMING_URL + path, {
    method: body ? "POST" : "GET",
    headers: {
      "Content-Type": "application/json;charset=UTF-8",
      "Api-Key": API_KEY,
      Timestamp: timestamp,
      Sign: createHash("md5").update(API_KEY + API_SECRET + timestamp).digest("hex"),
    },
    body: body && JSON.stringify(body),
  });
  return response.json();
}

const sent = await call("/v3/sendSms", {
  appId: APP_ID,
  numbers: PHONE_NUMBER,
  content: "Your code is 1234",
  orderId: "sample-1",
});
console.log(JSON.stringify(sent));

const msgid = sent.array[0].msgId;
let report;
for (let i = 0; i < 100; i++) {
  report = await call("/v3/getReport?" + new URLSearchParams({ appId: APP_ID, msgIds: msgid }));
  if (report.success === "1") break;
  await setTimeout(100);
}
console.log(JSON.stringify(report));

const used = { appId: APP_ID, msgid, number: PHONE_NUMBER, time: Date.now() };
console.log(JSON.stringify(await call("/v3/postback/backfill", used)));
console.log(JSON.stringify(await call("/v3/getBalance")));
