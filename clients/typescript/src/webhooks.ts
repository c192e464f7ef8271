/** Verification of signed pushes: the headers of Standard Webhooks (docs/integrate/webhooks.md). */

import { SignatureError } from "./errors.js";

const TOLERANCE_S = 300;
const PREFIX = "whsec_";
const VERSION = "v1,";

/** `id`: the same at each attempt of one push. `signedAt`: of this attempt. */
export interface SignedWebhook {
  id: string;
  signedAt: Date;
}

export interface VerifierOptions {
  /** How old a signature may be, or how far ahead; 300 seconds if not given. */
  toleranceS?: number;
}

/** Of a request: `Headers`, or the object that `node:http` and frameworks on it have. */
export type RequestHeaders = Headers | Readonly<Record<string, string | readonly string[] | undefined>>;

/**
 * Verifies pushes with the secrets that are valid now: one, or during a rotation two.
 *
 *     await new WebhookVerifier("whsec_...").verify(body, request.headers);
 */
export class WebhookVerifier {
  readonly #keys: readonly Promise<CryptoKey>[];
  readonly #toleranceS: number;

  constructor(secrets: string | readonly string[], options: VerifierOptions = {}) {
    const all = typeof secrets === "string" ? [secrets] : secrets;
    if (!all.length) throw new TypeError("a secret is needed");
    this.#keys = all.map(keyOf).map(imported);
    this.#toleranceS = options.toleranceS ?? TOLERANCE_S;
  }

  /**
   * `body`: as it arrived, before anything parses it. `now`: Unix time in seconds; the clock's if not given. Rejects
   * with `SignatureError`.
   */
  async verify(body: string | Uint8Array, headers: RequestHeaders, now?: number): Promise<SignedWebhook> {
    const id = headerOf(headers, "webhook-id");
    const timestamp = headerOf(headers, "webhook-timestamp");
    const signatures = headerOf(headers, "webhook-signature").split(" ");
    if (!/^\d{1,11}$/.test(timestamp)) throw new SignatureError("webhook-timestamp is no Unix time");
    const content = joined(`${id}.${timestamp}.`, body);
    // the signature goes first: what is said of the time is then said of a real push
    if (!(await this.#isSigned(content, signatures))) throw new SignatureError("no signature is of a known secret");
    const signedS = Number(timestamp);
    if (Math.abs((now ?? Date.now() / 1000) - signedS) > this.#toleranceS) {
      throw new SignatureError("signed too long ago, or by a clock that is ahead");
    }
    return { id, signedAt: new Date(signedS * 1000) };
  }

  /** The platform compares in constant time. */
  async #isSigned(content: Uint8Array<ArrayBuffer>, signatures: readonly string[]): Promise<boolean> {
    for (const key of await Promise.all(this.#keys)) {
      for (const signature of signatures) {
        const given = signature.startsWith(VERSION) ? bytesOf(signature.slice(VERSION.length)) : undefined;
        if (given && (await crypto.subtle.verify("HMAC", key, given, content))) return true;
      }
    }
    return false;
  }
}

function keyOf(secret: string): Uint8Array<ArrayBuffer> {
  const key = bytesOf(secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : secret);
  if (!key?.length) throw new TypeError(`a signing secret is ${PREFIX} and base64`);
  return key;
}

function imported(key: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
}

/** Of base64; undefined for what is none. */
function bytesOf(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  } catch {
    return undefined;
  }
}

function joined(before: string, body: string | Uint8Array): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  const first = encoder.encode(before);
  const rest = typeof body === "string" ? encoder.encode(body) : body;
  const content = new Uint8Array(first.length + rest.length);
  content.set(first);
  content.set(rest, first.length);
  return content;
}

function headerOf(headers: RequestHeaders, name: string): string {
  const value =
    headers instanceof Headers
      ? headers.get(name)
      : Object.entries(headers).find(([own]) => own.toLowerCase() === name)?.[1];
  if (typeof value !== "string" || !value) throw new SignatureError(`no ${name}`);
  return value;
}
