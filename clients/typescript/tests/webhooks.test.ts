// Webhooks: what the published library signs, and what the running server signed.

import assert from "node:assert/strict";
import { test } from "node:test";

import { SignatureError, WebhookVerifier } from "homing-client";
import { Webhook } from "standardwebhooks";

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const other = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const body = '{"event":"report","text":"验证码 – ok"}';

function signed(by: string, at = new Date(), content = body): Record<string, string> {
  return {
    "webhook-id": "push_1",
    "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
    "webhook-signature": new Webhook(by).sign("push_1", at, content),
  };
}

test("what the published library signs is verified", async () => {
  const verifier = new WebhookVerifier(secret);
  const headers = signed(secret);
  const { id, signedAt } = await verifier.verify(body, headers);
  assert.equal(id, "push_1");
  assert.equal(String(signedAt.getTime() / 1000), headers["webhook-timestamp"]);
  await verifier.verify(new TextEncoder().encode(body), new Headers(headers));
  const upper = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toUpperCase(), value]));
  await verifier.verify(body, upper);
  await new WebhookVerifier(secret.slice("whsec_".length)).verify(body, headers);
});

test("during a rotation either secret is right, and each of several signatures counts", async () => {
  await new WebhookVerifier([other, secret]).verify(body, signed(secret));
  const headers = signed(secret);
  const both = `${signed(other)["webhook-signature"]} v1a,AAAA ${headers["webhook-signature"]}`;
  await new WebhookVerifier(secret).verify(body, { ...headers, "webhook-signature": both });
});

test("anything else is refused", async () => {
  const verifier = new WebhookVerifier(secret);
  const headers = signed(secret);
  const late = signed(secret, new Date(Date.now() - 301_000));
  const refused: [string, Record<string, string>][] = [
    [`${body} `, headers],
    [body, signed(other)],
    [body, { ...headers, "webhook-id": "push_2" }],
    [body, { ...headers, "webhook-timestamp": "soon" }],
    [body, { ...headers, "webhook-signature": (headers["webhook-signature"] ?? "").replace("v1,", "v2,") }],
    [body, { ...headers, "webhook-signature": "v1," }],
    [body, { ...headers, "webhook-signature": "v1,\u0100" }],
    [body, {}],
    [body, late],
    [body, signed(secret, new Date(Date.now() + 301_000))],
  ];
  for (const [content, given] of refused) {
    await assert.rejects(verifier.verify(content, given), SignatureError, JSON.stringify(given));
  }
  await new WebhookVerifier(secret, { toleranceS: 600 }).verify(body, late);
  await verifier.verify(body, late, Date.now() / 1000 - 301);
  for (const bad of ["", "whsec_", "whsec_!"]) assert.throws(() => new WebhookVerifier(bad), TypeError);
  assert.throws(() => new WebhookVerifier([]), TypeError);
});

test("what the running server pushed is verified, by the published library too", async () => {
  const push = JSON.parse(process.env["HOMING_PUSH"] ?? "") as { secret: string; body: string; headers: Record<string, string> };
  const { id } = await new WebhookVerifier([other, push.secret]).verify(push.body, push.headers);
  assert.match(id, /^push_/);
  new Webhook(push.secret).verify(push.body, push.headers);
  await assert.rejects(new WebhookVerifier(push.secret).verify(`${push.body} `, push.headers), SignatureError);
});
