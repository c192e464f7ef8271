/** One call: written, made again where that may help and is safe, and its answer read. */

import {
  BadAnswerError,
  CallTimeoutError,
  HomingError,
  NoAnswerError,
  NotFoundError,
  problemError,
  ProblemError,
} from "./errors.js";
import type { ProblemDocument } from "./openapi.js";

const TIMEOUT_MS = 20_000;
const ATTEMPTS = 3;
const RETRY_FIRST_MS = 200;
const RETRY_MS_MAX = 5_000;
const PROBLEM_JSON = "application/problem+json";

export interface HomingOptions {
  /** `hm_KEY_SECRET`. */
  key: string;
  /** Where the API is, with `/v1`: `https://sms.example.com/v1`. */
  baseUrl: string;
  /** Of a call as a whole: its tries and the waits between them. 20 seconds if not given. */
  timeoutMs?: number;
  /** How often a call is tried at most; 3 if not given. */
  attempts?: number;
  /** In place of the global `fetch`. */
  fetch?: typeof fetch;
}

/** Of one call. */
export interface CallOptions {
  /** Aborts the call; it then rejects with the signal's reason. */
  signal?: AbortSignal;
  timeoutMs?: number;
}

/** Of a call that changes something. */
export interface ChangeOptions extends CallOptions {
  /**
   * By which Homing knows a repetition for 24 hours. One is made if none is given, and is the same in each try. Give
   * your own, stored before the call, to be safe from a crash of your own program.
   */
  idempotencyKey?: string;
}

export type Query = Readonly<Record<string, string | number | Date | undefined>>;

/** Makes the calls of one API key. */
export class Caller {
  readonly #base: string;
  readonly #authorization: string;
  readonly #timeoutMs: number;
  readonly #attempts: number;
  readonly #fetch: typeof fetch;

  constructor(options: HomingOptions) {
    const base = new URL(options.baseUrl);
    if (!["http:", "https:"].includes(base.protocol) || base.username || base.password || base.search || base.hash) {
      throw new TypeError("baseUrl begins with http:// or https:// and has no user, query or fragment");
    }
    if (!/^[\x21-\x7e]+$/.test(options.key)) {
      throw new TypeError("the API key is printable ASCII without spaces");
    }
    this.#base = base.href.replace(/\/+$/, "");
    this.#authorization = `Bearer ${options.key}`;
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
    this.#attempts = Math.max(1, options.attempts ?? ATTEMPTS);
    this.#fetch = options.fetch ?? fetch;
  }

  /** `query`: members without a value are left out. */
  get<T>(path: string, query: Query, options: CallOptions): Promise<T> {
    const parameters = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined && value !== "") {
        parameters.set(name, value instanceof Date ? value.toISOString() : String(value));
      }
    }
    const target = parameters.size ? `${path}?${parameters}` : path;
    return this.#call(target, { method: "GET", headers: this.#headers() }, "", options);
  }

  /** Every POST has an Idempotency-Key, so each may be made again. */
  post<T>(path: string, body: object, options: ChangeOptions): Promise<T> {
    const key = options.idempotencyKey ?? crypto.randomUUID();
    if (!/^[\x20-\x7e]{1,255}$/.test(key) || key !== key.trim()) {
      throw new TypeError("an Idempotency-Key is 1 to 255 printable ASCII characters");
    }
    const headers = { ...this.#headers(), "Content-Type": "application/json", "Idempotency-Key": key };
    return this.#call(path, { method: "POST", headers, body: JSON.stringify(body) }, key, options);
  }

  /** Made twice it does no more than made once. */
  patch<T>(path: string, body: object, options: CallOptions): Promise<T> {
    const headers = { ...this.#headers(), "Content-Type": "application/json" };
    return this.#call(path, { method: "PATCH", headers, body: JSON.stringify(body) }, "", options);
  }

  /** What is gone after a try without an answer has been removed by it. */
  delete(path: string, options: CallOptions): Promise<void> {
    return this.#call(path, { method: "DELETE", headers: this.#headers() }, "", options);
  }

  #headers(): Record<string, string> {
    return { Accept: "application/json", Authorization: this.#authorization };
  }

  async #call<T>(target: string, request: RequestInit, key: string, options: CallOptions): Promise<T> {
    let isInDoubt = false;
    const deadlineMs = performance.now() + (options.timeoutMs ?? this.#timeoutMs);
    for (let attempt = 1; ; attempt += 1) {
      options.signal?.throwIfAborted();
      try {
        return await this.#exchange<T>(target, request, deadlineMs, options.signal);
      } catch (error) {
        if (!(error instanceof HomingError)) throw error;
        if (request.method === "DELETE" && isInDoubt && error instanceof NotFoundError) return undefined as T;
        isInDoubt ||= !(error instanceof ProblemError) || error.status >= 500;
        error.idempotencyKey = key;
        const waitMs = pauseMs(attempt, error);
        if (!error.soon || attempt >= this.#attempts || performance.now() + waitMs >= deadlineMs) throw error;
        await sleep(waitMs, options.signal);
      }
    }
  }

  /** One try. Rejects with a `HomingError`, or with the signal's reason. */
  async #exchange<T>(target: string, request: RequestInit, deadlineMs: number, signal?: AbortSignal): Promise<T> {
    const late = AbortSignal.timeout(Math.max(0, Math.ceil(deadlineMs - performance.now())));
    let response: Response;
    let text: string;
    try {
      const either = signal ? AbortSignal.any([signal, late]) : late;
      // a redirect is not followed: the credentials are for this address alone
      response = await this.#fetch(`${this.#base}/${target}`, { ...request, redirect: "manual", signal: either });
      text = await response.text();
    } catch (error) {
      signal?.throwIfAborted();
      if (late.aborted) throw new CallTimeoutError("the call took too long", { cause: error });
      throw new NoAnswerError(`no answer: ${reasonOf(error)}`, { cause: error });
    }
    return read<T>(response, text);
  }
}

/** A part of a path. Throws for what is none: the call would go elsewhere. */
export function segment(value: string): string {
  if (!value || value === "." || value === "..") throw new TypeError("an id is digits");
  return encodeURIComponent(value);
}

function read<T>(response: Response, text: string): T {
  const retryAfterS = secondsOf(response.headers.get("retry-after"));
  if (response.status === 204) return undefined as T;
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new BadAnswerError(`HTTP ${response.status} without JSON`, response.status, retryAfterS);
  }
  if (response.ok && isObject(body)) return body as T;
  const media = response.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (media === PROBLEM_JSON && isObject(body) && typeof body["code"] === "string") {
    throw problemError({ title: "", type: "", ...body, code: body["code"], status: response.status }, retryAfterS);
  }
  throw new BadAnswerError(`HTTP ${response.status} that is not of Homing's API`, response.status, retryAfterS);
}

function isObject(value: unknown): value is Partial<ProblemDocument> & Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Retry-After: seconds or a date (RFC 9110, 10.2.3). */
function secondsOf(value: string | null): number | undefined {
  if (!value) return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value);
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, (at - Date.now()) / 1000);
}

/** Doubling from the first wait on, a fifth more or less, and never sooner than `Retry-After` says. */
function pauseMs(attempt: number, error: HomingError): number {
  const backoffMs = Math.min(RETRY_MS_MAX, RETRY_FIRST_MS * 2 ** (attempt - 1)) * (0.8 + 0.4 * Math.random());
  const retryAfterS = error instanceof ProblemError || error instanceof BadAnswerError ? error.retryAfterS : undefined;
  return Math.max(backoffMs, (retryAfterS ?? 0) * 1000);
}

function sleep(waitMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, waitMs);
    signal?.addEventListener("abort", stop, { once: true });
  });
}

/** `fetch` says "fetch failed"; why stands in the cause. */
function reasonOf(error: unknown): string {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return inner instanceof Error ? inner.message || inner.name : String(inner);
}
