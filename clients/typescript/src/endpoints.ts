/** Webhook endpoints: where events are pushed to. */

import { segment, type Caller, type CallOptions, type ChangeOptions } from "./call.js";
import type {
  DeliveryPage,
  DeliveryView,
  operations,
  ReplayBody,
  ReplayView,
  RotationBody,
  SecretView,
  TestResultView,
  WebhookBody,
  WebhookChangeBody,
  WebhookList,
  WebhookTestBody,
  WebhookView,
} from "./openapi.js";
import type { Dated } from "./dated.js";
import { rowsOf, type Page } from "./paging.js";

export type DeliveryFilter = NonNullable<operations["webhooks_deliveries"]["parameters"]["query"]>;
export type Replay = Dated<ReplayBody, "from" | "to">;

export class WebhookEndpoints {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /** POST /v1/webhooks: for the events of `types`; without it for all. This answer alone has the `secret`. */
  create(webhook: WebhookBody, options: ChangeOptions = {}): Promise<WebhookView> {
    return this.#caller.post("webhooks", webhook, options);
  }

  /** GET /v1/webhooks: all of the account. */
  async list(options: CallOptions = {}): Promise<WebhookView[]> {
    return (await this.#caller.get<WebhookList>("webhooks", {}, options)).webhooks;
  }

  /** GET /v1/webhooks/{id} */
  get(id: string, options: CallOptions = {}): Promise<WebhookView> {
    return this.#caller.get(pathOf(id), {}, options);
  }

  /** PATCH /v1/webhooks/{id}: what is not given stays; `enabled: true` enables it again. */
  change(id: string, change: WebhookChangeBody, options: CallOptions = {}): Promise<WebhookView> {
    return this.#caller.patch(pathOf(id), change, options);
  }

  /** DELETE /v1/webhooks/{id} */
  remove(id: string, options: CallOptions = {}): Promise<void> {
    return this.#caller.delete(pathOf(id), options);
  }

  /** POST /v1/webhooks/{id}/rotate: a new secret; the previous one signs beside it for `keep_hours` (24). */
  rotate(id: string, rotation: RotationBody = {}, options: ChangeOptions = {}): Promise<SecretView> {
    return this.#caller.post(`${pathOf(id)}/rotate`, rotation, options);
  }

  /** POST /v1/webhooks/{id}/test: pushes a made-up event now, and answers what the endpoint said. */
  test(id: string, body: WebhookTestBody = {}, options: ChangeOptions = {}): Promise<TestResultView> {
    return this.#caller.post(`${pathOf(id)}/test`, body, options);
  }

  /** POST /v1/webhooks/{id}/replay: the events of a time span, or one event, again. */
  replay(id: string, replay: Replay, options: ChangeOptions = {}): Promise<ReplayView> {
    return this.#caller.post(`${pathOf(id)}/replay`, replay, options);
  }

  /** GET /v1/webhooks/{id}/deliveries: what was pushed, the latest first, read page by page. */
  deliveries(
    id: string,
    filter: DeliveryFilter = {},
    options: CallOptions = {},
  ): AsyncGenerator<DeliveryView, void, undefined> {
    return rowsOf(
      (cursor) => this.deliveryPage(id, { ...filter, ...(cursor !== undefined && { cursor }) }, options),
      filter.cursor,
    );
  }

  async deliveryPage(id: string, filter: DeliveryFilter = {}, options: CallOptions = {}): Promise<Page<DeliveryView>> {
    const page = await this.#caller.get<DeliveryPage>(`${pathOf(id)}/deliveries`, filter, options);
    return { rows: page.deliveries, nextCursor: page.next_cursor };
  }
}

function pathOf(id: string): string {
  return `webhooks/${segment(id)}`;
}
