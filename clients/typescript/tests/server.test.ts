// Every call against the running server that the environment names.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import {
  AlreadyVerifiedError,
  AuthenticationError,
  Homing,
  IdempotencyKeyReusedError,
  isFinal,
  NoMessageAcceptedError,
  NotFoundError,
  NumberInvalidError,
  NumberLimitError,
  ProblemError,
  TooLateToCancelError,
  VerificationOverError,
} from "homing-client";

const { HOMING_BASE_URL: baseUrl = "", HOMING_KEY: key = "", HOMING_TESTER: tester = "" } = process.env;
const { HOMING_SINK: sink = "" } = process.env;
const { HOMING_WAITING: waiting = "", HOMING_REPLYING: replying = "" } = process.env;
const homing = new Homing({ key, baseUrl });
const number = "8613800130001";

async function until<T>(read: () => Promise<T>, enough: (value: T) => boolean): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    const value = await read();
    if (enough(value)) return value;
    assert(tries < 600, "it did not come to be");
    await sleep(50);
  }
}

async function all<T>(rows: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const row of rows) list.push(row);
  return list;
}

test("a message is quoted, sent, followed and reported", async () => {
  const quote = await homing.messages.quote({ to: `+${number}`, text: "Your table is ready" });
  assert.deepEqual([quote.to, quote.segments, quote.encoding], [number, 1, "gsm7"]);
  const sent = await homing.messages.send({ to: `+${number}`, text: "Your table is ready", reference: "order 7" });
  assert.deepEqual([sent.status, sent.to, sent.from, sent.reference], ["queued", number, "HOMING", "order 7"]);
  assert.deepEqual(sent.price, quote.price);
  const message = await until(() => homing.messages.get(sent.id), ({ status }) => isFinal(status));
  assert.deepEqual([message.status, message.text], ["delivered", "Your table is ready"]);
  const recorded = await homing.reportConversion({ message_id: sent.id });
  assert.deepEqual(recorded, { message_id: sent.id, status: "recorded", first: true });
  assert.equal((await homing.reportConversion({ to: number, converted_at: new Date() })).first, false);
  await assert.rejects(homing.messages.cancel(sent.id), TooLateToCancelError);
});

test("a repeated key sends once", async () => {
  const options = { idempotencyKey: crypto.randomUUID() };
  const first = await homing.messages.send({ to: number, text: "hi" }, options);
  assert.deepEqual(await homing.messages.send({ to: number, text: "hi" }, options), first);
  await assert.rejects(homing.messages.send({ to: number, text: "other" }, options), IdempotencyKeyReusedError);
});

test("many have a result each", async () => {
  const messages = [{ to: number, text: "one" }, { to: "12", text: "two" }];
  const batch = await homing.messages.sendMany(messages);
  assert.deepEqual([batch.accepted, batch.refused], [1, 1]);
  assert.equal(batch.messages[0]?.message?.to, number);
  assert.equal(batch.messages[1]?.error?.code, "number_invalid");
  const quoted = await homing.messages.quoteMany(messages);
  assert.equal(quoted.messages[0]?.quote?.segments, 1);
  await assert.rejects(homing.messages.sendMany(messages.slice(1)), NoMessageAcceptedError);
});

test("a message that waits is cancelled, and lists go over pages", async () => {
  const later = new Date(Date.now() + 3_600_000);
  const ids: string[] = [];
  for (const text of ["a", "b", "c"]) {
    ids.push((await homing.messages.send({ to: waiting, text, reference: "r", send_at: later })).id);
  }
  assert.equal((await homing.messages.cancel(ids[0] ?? "")).status, "cancelled");
  const rows = await all(homing.messages.list({ reference: "r", limit: 2 }));
  assert.deepEqual(rows.map(({ id }) => id), [...ids].reverse());
  const page = await homing.messages.page({ reference: "r", limit: 2 });
  assert.equal(page.rows.length, 2);
  const rest = await all(homing.messages.list({ reference: "r", limit: 2, cursor: page.nextCursor ?? "" }));
  assert.deepEqual(rest.map(({ id }) => id), ids.slice(0, 1));
  const postings = await all(homing.statement({ limit: 2 }));
  assert(ids.every((id) => postings.some((posting) => posting.submission_id === id)));
  assert(postings.some((posting) => posting.kind === "refund" && posting.message_id === ids[0]));
});

test("a code is sent and is right once", async () => {
  const made = await homing.verifications.create({ to: tester, reference: "sign-up" });
  assert.deepEqual([made.status, made.attempts_left], ["pending", 5]);
  const wrong = await homing.verifications.check(made.id, "000000");
  assert.deepEqual([wrong.status, wrong.attempts_left], ["pending", 4]);
  assert.equal((await homing.verifications.resend(made.id)).status, "pending");
  const checks = await Promise.allSettled([1, 2, 3, 4].map(() => homing.verifications.check(made.id, "123456")));
  assert.equal(checks.filter(({ status }) => status === "fulfilled").length, 1);
  await assert.rejects(homing.verifications.check(made.id, "123456"), AlreadyVerifiedError);
  const shown = await homing.verifications.get(made.id);
  assert.deepEqual([shown.status, shown.reference], ["verified", "sign-up"]);
});

test("a number is sent few codes, and a cancelled one is over", async () => {
  const made = await homing.verifications.create({ to: waiting, code: "aB9x" });
  await assert.rejects(homing.verifications.resend(made.id), (error) => {
    assert(error instanceof NumberLimitError);
    assert(error.retryAfterS !== undefined && error.retryAfterS > 0 && error.retryAfterS <= 30);
    return true;
  });
  assert.equal((await homing.verifications.cancel(made.id)).status, "cancelled");
  assert.equal((await homing.verifications.check(made.id, "aB9x")).status, "cancelled");
  await assert.rejects(homing.verifications.resend(made.id), VerificationOverError);
  await assert.rejects(homing.verifications.get("1"), NotFoundError);
});

test("money, replies and numbers are read", async () => {
  const { available, balance } = await homing.balance();
  assert.equal(available.amount, balance.amount);
  await homing.messages.send({ to: replying, text: "well?" });
  const [reply] = await until(() => all(homing.inbound({ since: new Date(Date.now() - 3_600_000) })), (rows) => rows.length > 0);
  assert.deepEqual([reply?.from, reply?.to, reply?.text], [replying, "HOMING", "OK"]);
  const known = await homing.lookup(`+${number}`);
  assert.deepEqual([known.number, known.possible, known.country], [number, true, "CN"]);
});

test("an endpoint is made, tested, changed and removed; events are read", async () => {
  const [app] = await homing.apps.list();
  assert.ok(app);
  const worth = { resend_messages: 1, resend_worth: { amount: "0.50" } } as const;
  assert.equal((await homing.apps.change(app.id, worth)).resend_worth.amount, "0.5");
  assert.equal((await homing.apps.get(app.id)).resend_messages, 1);
  const made = await homing.webhooks.create({ url: sink, types: ["message.delivered"] });
  assert.match(made.secret ?? "", /^whsec_/);
  assert.deepEqual((await homing.webhooks.list()).map(({ id }) => id), [made.id]);
  const tried = await homing.webhooks.test(made.id);
  assert.deepEqual([tried.delivered, tried.http_status], [true, 200]);
  const rotated = await homing.webhooks.rotate(made.id, { keep_hours: 1 });
  assert.notEqual(rotated.secret, made.secret);
  const sent = await homing.messages.send({ to: number, text: "hi" });
  const events = await until(
    () => all(homing.events.list({ message_id: sent.id, order: "asc" })),
    (rows) => rows.some(({ type }) => type === "message.delivered"),
  );
  const delivered = events.find((event) => event.type === "message.delivered");
  assert(delivered?.type === "message.delivered");
  assert.deepEqual([delivered.data.id, delivered.data.status], [sent.id, "delivered"]);
  assert.deepEqual(await homing.events.get(delivered.id), delivered);
  const deliveries = await until(() => all(homing.webhooks.deliveries(made.id, { limit: 1 })), ({ length }) => length > 0);
  assert.equal(deliveries[0]?.type, "message.delivered");
  assert.equal((await homing.webhooks.replay(made.id, { from: new Date(Date.now() - 600_000) })).queued >= 0, true);
  assert.equal((await homing.webhooks.change(made.id, { enabled: false })).enabled, false);
  assert.equal((await homing.webhooks.get(made.id)).disabled_reason, "customer");
  await homing.webhooks.remove(made.id);
  await assert.rejects(homing.webhooks.get(made.id), NotFoundError);
});

test("refusals are typed, with the member that is wrong", async () => {
  await assert.rejects(homing.messages.send({ to: "0138", text: "hi" }), (error) => {
    assert(error instanceof NumberInvalidError);
    assert.deepEqual(error.errors.map(({ pointer }) => pointer), ["#/to"]);
    return true;
  });
  await assert.rejects(new Homing({ key: "hm_none_none", baseUrl }).balance(), AuthenticationError);
  const unknown: object = { to: number, text: "hi", txet: "hi" };
  await assert.rejects(homing.messages.send(unknown as { to: string; text: string }), (error) => {
    assert(error instanceof ProblemError);
    assert.equal(error.code, "unknown_member");
    return true;
  });
});
