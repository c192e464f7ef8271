// Calls against servers that fail: what is made again, with which key, and what the caller learns.

import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";

import * as errors from "homing-client";
import { Homing, type HomingOptions } from "homing-client";

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

interface Peer {
  homing: Homing;
  keys: (string | undefined)[];
  urls: string[];
}

/** A server that gives `answers` in turn, the last one for ever, while `use` runs. */
async function withPeer(answers: Answer[], use: (peer: Peer) => Promise<void>, more: Partial<HomingOptions> = {}) {
  const keys: (string | undefined)[] = [];
  const urls: string[] = [];
  const server = createServer((request, response) => {
    keys.push(request.headers["idempotency-key"] as string | undefined);
    urls.push(request.url ?? "");
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    request.resume().on("end", () => answer?.(request, response));
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  try {
    await use({ homing: new Homing({ key: "hm_a_b", baseUrl: `http://127.0.0.1:${port}/v1/`, ...more }), keys, urls });
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

function json(status: number, body: unknown, headers: Record<string, string> = {}): Answer {
  return (_request, response) => {
    const type = status < 400 ? "application/json" : "application/problem+json";
    response.writeHead(status, { "content-type": type, ...headers }).end(JSON.stringify(body));
  };
}

function problem(status: number, code: string, headers: Record<string, string> = {}, more: object = {}): Answer {
  return json(status, { type: `/v1/errors/${code}`, title: "A title", status, code, ...more }, headers);
}

const cut: Answer = (request) => request.socket.destroy();
const silence: Answer = () => undefined;
const sent = json(201, { id: "17", status: "queued" });
const message = { to: "8613800130001", text: "hi" };

test("a call without an answer is made again with the same key", async () => {
  await withPeer([cut, problem(503, "overloaded"), sent], async ({ homing, keys }) => {
    assert.equal((await homing.messages.send(message)).id, "17");
    assert.equal(keys.length, 3);
    assert.match(keys[0] ?? "", /^[0-9a-f-]{36}$/);
    assert.equal(new Set(keys).size, 1);
    await homing.messages.send(message);
    assert.notEqual(keys[3], keys[0]);
    await homing.messages.send(message, { idempotencyKey: "order 7" });
    assert.equal(keys[4], "order 7");
  });
});

test("tries end, and the error has the key of the call", async () => {
  await withPeer([problem(503, "unavailable")], async ({ homing, keys }) => {
    await assert.rejects(homing.messages.send(message), (error) => {
      assert(error instanceof errors.ServerError);
      assert.equal(error.idempotencyKey, keys[0]);
      assert.equal(error.code, "unavailable");
      return true;
    });
    assert.equal(keys.length, 3);
  });
  await withPeer([cut], async ({ homing, keys }) => {
    await assert.rejects(homing.balance(), errors.NoAnswerError);
    assert.deepEqual(keys, [undefined]);
  }, { attempts: 1 });
});

test("Retry-After is obeyed, and a wait beyond the call's time is not begun", async () => {
  await withPeer([problem(429, "too_many_requests", { "retry-after": "1" }), sent], async ({ homing }) => {
    const began = performance.now();
    await homing.messages.send(message);
    assert(performance.now() - began >= 990);
  });
  await withPeer([problem(429, "too_many_requests", { "retry-after": "3600" }), sent], async ({ homing, keys }) => {
    await assert.rejects(homing.messages.send(message), (error) => {
      assert(error instanceof errors.RateLimitError);
      assert.equal(error.retryAfterS, 3600);
      return true;
    });
    assert.equal(keys.length, 1);
  });
  const soon = new Date(Date.now() + 2_000).toUTCString();
  await withPeer([problem(503, "overloaded", { "retry-after": soon }), sent], async ({ homing }) => {
    const began = performance.now();
    await homing.messages.send(message);
    assert(performance.now() - began >= 900);
  });
});

test("refusals are typed and are not repeated", async () => {
  const kinds: [number, string, new (...of: never[]) => errors.ProblemError][] = [
    [400, "malformed_json", errors.InvalidRequestError],
    [401, "key_invalid", errors.AuthenticationError],
    [402, "insufficient_balance", errors.InsufficientBalanceError],
    [403, "scope_missing", errors.AccessError],
    [404, "message_not_found", errors.NotFoundError],
    [409, "idempotency_key_reused", errors.IdempotencyKeyReusedError],
    [409, "already_verified", errors.AlreadyVerifiedError],
    [409, "too_late_to_cancel", errors.TooLateToCancelError],
    [409, "verification_over", errors.VerificationOverError],
    [409, "a_new_code", errors.ConflictError],
    [422, "number_national", errors.NumberInvalidError],
    [422, "no_route", errors.NoRouteError],
    [422, "no_message_accepted", errors.NoMessageAcceptedError],
    [422, "constructor", errors.InvalidRequestError],
    [429, "number_limit_reached", errors.NumberLimitError],
    [429, "app_limit_reached", errors.AppLimitError],
  ];
  for (const [status, code, kind] of kinds) {
    const more = { detail: "it is wrong", errors: [{ pointer: "#/to", detail: "wrong" }] };
    await withPeer([problem(status, code, {}, more), sent], async ({ homing, keys }) => {
      await assert.rejects(homing.messages.send(message), (error) => {
        assert(error instanceof errors.ProblemError);
        assert.equal(error.constructor, kind, code);
        assert.equal(error.name, kind.name);
        assert.deepEqual([error.status, error.code, error.title], [status, code, "A title"]);
        assert.deepEqual([error.type, error.detail], [`/v1/errors/${code}`, "it is wrong"]);
        assert.deepEqual(error.errors, [{ pointer: "#/to", detail: "wrong" }]);
        return true;
      });
      assert.equal(keys.length, 1);
    });
  }
});

test("an answer that is not of this API is named so", async () => {
  const page: Answer = (_request, response) => response.writeHead(404, { "content-type": "text/html" }).end("<p>no</p>");
  await withPeer([page], async ({ homing, keys }) => {
    await assert.rejects(homing.balance(), errors.BadAnswerError);
    assert.equal(keys.length, 1);
  });
  const moved: Answer = (_request, response) => response.writeHead(307, { location: "/v1/elsewhere" }).end();
  await withPeer([moved], async ({ homing, urls }) => {
    await assert.rejects(homing.messages.send(message), errors.BadAnswerError);
    assert.deepEqual(urls, ["/v1/messages"]); // the key goes nowhere else
  });
  await withPeer([json(200, []), json(200, { available: 1 })], async ({ homing, keys }) => {
    assert.deepEqual(await homing.balance(), { available: 1 });
    assert.equal(keys.length, 2);
  });
});

test("a call ends at its time, and at its signal", async () => {
  await withPeer([silence], async ({ homing, keys }) => {
    await assert.rejects(homing.balance({ timeoutMs: 60 }), errors.CallTimeoutError);
    assert.equal(keys.length, 1);
    const reason = new Error("the person left");
    await assert.rejects(homing.balance({ signal: AbortSignal.abort(reason) }), reason);
    assert.equal(keys.length, 1);
    const stopping = new AbortController();
    setTimeout(() => stopping.abort(reason), 30);
    await assert.rejects(homing.messages.send(message, { signal: stopping.signal }), reason);
  });
  await withPeer([problem(503, "overloaded", { "retry-after": "15" })], async ({ homing }) => {
    const stopping = new AbortController();
    setTimeout(() => stopping.abort(), 50);
    const began = performance.now();
    await assert.rejects(homing.balance({ signal: stopping.signal }), { name: "AbortError" });
    assert(performance.now() - began < 5_000); // also in the wait between two tries
  });
});

test("what is gone after a removal without an answer was removed by it", async () => {
  const gone = problem(404, "webhook_not_found");
  const done: Answer = (_request, response) => response.writeHead(204).end();
  await withPeer([done, cut, gone], async ({ homing, keys }) => {
    assert.equal(await homing.webhooks.remove("1"), undefined);
    assert.equal(await homing.webhooks.remove("1"), undefined);
    assert.equal(keys.length, 3);
    await assert.rejects(homing.webhooks.remove("1"), errors.NotFoundError);
  });
});

test("pages are read one after the other, empty ones too", async () => {
  const pages = [
    json(200, { messages: [{ id: "3" }], next_cursor: "3" }),
    json(200, { messages: [], next_cursor: "2" }),
    json(200, { messages: [{ id: "1" }] }),
  ];
  await withPeer(pages, async ({ homing, urls }) => {
    const ids = [];
    const since = new Date("2026-11-29T21:30:00+08:00");
    for await (const row of homing.messages.list({ status: "sent", since, limit: 1 })) ids.push(row.id);
    assert.deepEqual(ids, ["3", "1"]);
    assert.deepEqual(urls, [
      "/v1/messages?status=sent&since=2026-11-29T13%3A30%3A00.000Z&limit=1",
      "/v1/messages?status=sent&since=2026-11-29T13%3A30%3A00.000Z&limit=1&cursor=3",
      "/v1/messages?status=sent&since=2026-11-29T13%3A30%3A00.000Z&limit=1&cursor=2",
    ]);
  });
});

test("what would break out of a call is refused before it", async () => {
  await withPeer([sent], async ({ homing, keys, urls }) => {
    for (const id of ["", ".", ".."]) assert.throws(() => homing.messages.get(id), TypeError);
    assert.throws(() => homing.messages.send(message, { idempotencyKey: "a\r\nb" }), TypeError);
    assert.equal(keys.length, 0);
    await homing.messages.get("1/cancel?x#y");
    assert.deepEqual(urls, ["/v1/messages/1%2Fcancel%3Fx%23y"]);
  });
  for (const baseUrl of ["ftp://a/v1", "http://user:word@a/v1", "http://:word@a/v1", "http://a/v1?x=1", "a/v1"]) {
    assert.throws(() => new Homing({ key: "hm_a_b", baseUrl }), TypeError);
  }
  assert.throws(() => new Homing({ key: "hm a", baseUrl: "http://a/v1" }), TypeError);
});
