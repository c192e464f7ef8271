/** Apps: what each has set for verification codes. */

import { segment, type Caller, type CallOptions } from "./call.js";
import type { AppChangeBody, AppList, AppView } from "./openapi.js";

export class Apps {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /** GET /v1/apps: all of the account, its first app first. */
  async list(options: CallOptions = {}): Promise<AppView[]> {
    return (await this.#caller.get<AppList>("apps", {}, options)).apps;
  }

  /** GET /v1/apps/{app} */
  get(id: string, options: CallOptions = {}): Promise<AppView> {
    return this.#caller.get(`apps/${segment(id)}`, {}, options);
  }

  /** PATCH /v1/apps/{app}: what is not given stays; the limit `"none"` removes one. */
  change(id: string, change: AppChangeBody, options: CallOptions = {}): Promise<AppView> {
    return this.#caller.patch(`apps/${segment(id)}`, change, options);
  }
}
