// The lia dialect from Node's fetch: send, wait for the delivery, report the conversion, read the balance.
import { setTimeout } from "node:timers/promises";

const { HOMING_URL, API_ID, API_PASSWORD, SENDER_ID, PHONE_NUMBER } = process.env;

async function call(path, parameters = {}) {
  const body = new URLSearchParams({ api_id: API_ID, api_password: API_PASSWORD, ...parameters });
  const response = await fetch(HOMING_URL + path, { method: "POST", body });
  return response.json();
}

const sent = await call("/api/SendSMS", {
  sms_type: "T",
  encoding: "T",
  sender_id: SENDER_ID,
  phonenumber: PHONE_NUMBER,
  textmessage: "Your code is 1234",
  uid: "sample-1",
});
console.log(JSON.stringify(sent));

let status;
for (let i = 0; i < 100; i++) {
  status = await call("/api/GetDeliveryStatus", { message_id: sent.message_id });
  if (status.DLRStatus === "Delivered") break;
  await setTimeout(100);
}
console.log(JSON.stringify(status));

console.log(JSON.stringify(await call("/api/CTrack", { message_id: sent.message_id, status: true })));
console.log(JSON.stringify(await call("/api/CheckBalance")));
