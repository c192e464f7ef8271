/**
 * What a call can fail with. Each error knows whether the same call may help within seconds (`soon`): the client then
 * makes it again by itself.
 *
 *     HomingError
 *     ├── NoAnswerError           no connection, or it broke before the answer was whole
 *     ├── CallTimeoutError        the call as a whole took longer than its `timeoutMs`
 *     ├── BadAnswerError          an answer that is not this API's: a proxy's page, another service
 *     ├── ProblemError            a problem document (RFC 9457): `code`, `type`, `title`, `detail`, `status`
 *     │   ├── AuthenticationError 401   ├── InsufficientBalanceError 402   ├── AccessError 403
 *     │   ├── NotFoundError       404
 *     │   ├── ConflictError       409   AlreadyVerifiedError · VerificationOverError · TooLateToCancelError
 *     │   │                             · IdempotencyKeyReusedError
 *     │   ├── InvalidRequestError 400, 422   NumberInvalidError · NoRouteError · NoMessageAcceptedError
 *     │   ├── RateLimitError      429   NumberLimitError · AppLimitError
 *     │   └── ServerError         5xx
 *     └── SignatureError          a webhook that is not signed with the secret
 */

import type { MemberError, ProblemDocument } from "./openapi.js";

/** The base of all errors of this package. */
export class HomingError extends Error {
  /** Whether the same call can succeed within seconds. */
  readonly soon: boolean = false;
  /** The call's Idempotency-Key: made again with it, nothing is done twice. "" of a call that only reads. */
  idempotencyKey = "";

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

export class NoAnswerError extends HomingError {
  override readonly soon = true;
}

export class CallTimeoutError extends HomingError {}

export class BadAnswerError extends HomingError {
  override readonly soon: boolean;

  constructor(
    message: string,
    readonly status: number,
    /** What `Retry-After` says, in seconds. */
    readonly retryAfterS?: number,
  ) {
    super(message);
    // 3xx and 4xx without a problem document: somebody else answers at this address
    this.soon = status < 300 || status === 429 || status >= 500;
  }
}

/** Homing refused the call, or failed; `code` is stable and has a page in the reference (docs/reference/errors.md). */
export class ProblemError extends HomingError {
  readonly code: string;
  /** The path of the code's page on the server. */
  readonly type: string;
  readonly title: string;
  readonly detail: string;
  readonly status: number;
  /** What is wrong where: `pointer` is a JSON Pointer such as `#/to`, or the name of a query parameter. */
  readonly errors: readonly MemberError[];

  constructor(
    readonly problem: ProblemDocument,
    /** What `Retry-After` says, in seconds. */
    readonly retryAfterS?: number,
  ) {
    super(`${problem.code}: ${problem.detail || problem.title}`);
    this.code = problem.code;
    this.type = problem.type;
    this.title = problem.title;
    this.detail = problem.detail ?? "";
    this.status = problem.status;
    this.errors = problem.errors ?? [];
  }
}

export class AuthenticationError extends ProblemError {}
export class InsufficientBalanceError extends ProblemError {}
/** The address is not allowed, the account is locked, or the key lacks the scope. */
export class AccessError extends ProblemError {}
export class NotFoundError extends ProblemError {}
export class ConflictError extends ProblemError {}
/** The code was right before: this check lets nobody in. */
export class AlreadyVerifiedError extends ConflictError {}
export class VerificationOverError extends ConflictError {}
export class TooLateToCancelError extends ConflictError {}
export class IdempotencyKeyReusedError extends ConflictError {}
export class InvalidRequestError extends ProblemError {}
export class NumberInvalidError extends InvalidRequestError {}
export class NoRouteError extends InvalidRequestError {}
export class NoMessageAcceptedError extends InvalidRequestError {}
export class RateLimitError extends ProblemError {
  override readonly soon: boolean = true;
}
/** The number was sent as many codes as it may get; `retryAfterS`: until the next one. */
export class NumberLimitError extends RateLimitError {
  override readonly soon = false;
}
export class AppLimitError extends RateLimitError {
  override readonly soon = false;
}
export class ServerError extends ProblemError {
  override readonly soon = true;
}
/** The body did not arrive whole, or not in time. */
export class BodyIncompleteError extends InvalidRequestError {
  override readonly soon = true;
}

export class SignatureError extends HomingError {}

type ProblemKind = new (problem: ProblemDocument, retryAfterS?: number) => ProblemError;

/** Codes that have a class of their own; the others go by their status. */
const BY_CODE: Readonly<Record<string, ProblemKind>> = {
  already_verified: AlreadyVerifiedError,
  verification_over: VerificationOverError,
  too_late_to_cancel: TooLateToCancelError,
  idempotency_key_reused: IdempotencyKeyReusedError,
  number_invalid: NumberInvalidError,
  number_national: NumberInvalidError,
  no_route: NoRouteError,
  destination_blocked: NoRouteError,
  no_message_accepted: NoMessageAcceptedError,
  number_limit_reached: NumberLimitError,
  app_limit_reached: AppLimitError,
  body_incomplete: BodyIncompleteError,
  body_late: BodyIncompleteError,
};

const BY_STATUS: Readonly<Record<number, ProblemKind>> = {
  401: AuthenticationError,
  402: InsufficientBalanceError,
  403: AccessError,
  404: NotFoundError,
  409: ConflictError,
  429: RateLimitError,
};

/** The typed error of a problem document. */
export function problemError(problem: ProblemDocument, retryAfterS?: number): ProblemError {
  const kind =
    (Object.hasOwn(BY_CODE, problem.code) ? BY_CODE[problem.code] : undefined) ??
    BY_STATUS[problem.status] ??
    (problem.status >= 500 ? ServerError : InvalidRequestError);
  return new kind(problem, retryAfterS);
}
