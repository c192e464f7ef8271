/** Verifications: a code is sent, checked, sent again or called off. */

import { segment, type Caller, type CallOptions, type ChangeOptions } from "./call.js";
import type { VerificationBody, VerificationView } from "./openapi.js";

export class Verifications {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /**
   * POST /v1/verifications: makes a code and sends it. Rejects with `NumberLimitError` when the number was sent as many
   * as it may get; its `retryAfterS` is what to tell the person.
   */
  create(verification: VerificationBody, options: ChangeOptions = {}): Promise<VerificationView> {
    return this.#caller.post("verifications", verification, options);
  }

  /**
   * POST /v1/verifications/{id}/check: let the person in on `status` `verified` alone. Of all checks exactly one gets
   * it; those after it reject with `AlreadyVerifiedError`.
   */
  check(id: string, code: string, options: ChangeOptions = {}): Promise<VerificationView> {
    return this.#caller.post(`verifications/${segment(id)}/check`, { code }, options);
  }

  /** POST /v1/verifications/{id}/resend: the same code, by another carrier where there is one. */
  resend(id: string, options: ChangeOptions = {}): Promise<VerificationView> {
    return this.#caller.post(`verifications/${segment(id)}/resend`, {}, options);
  }

  /** POST /v1/verifications/{id}/cancel: the code is no longer right. */
  cancel(id: string, options: ChangeOptions = {}): Promise<VerificationView> {
    return this.#caller.post(`verifications/${segment(id)}/cancel`, {}, options);
  }

  /** GET /v1/verifications/{id}: with the messages that carried the code. */
  get(id: string, options: CallOptions = {}): Promise<VerificationView> {
    return this.#caller.get(`verifications/${segment(id)}`, {}, options);
  }
}
