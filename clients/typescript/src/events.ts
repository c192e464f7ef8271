/** Events: what became of messages and verifications. */

import { segment, type Caller, type CallOptions } from "./call.js";
import type { Dated } from "./dated.js";
import type { EventPage, operations } from "./openapi.js";
import { rowsOf, type Page } from "./paging.js";

/** An event; `type` tells what `data` is. It is also what a webhook's body is. */
export type HomingEvent = EventPage["events"][number];
export type EventFilter = Dated<NonNullable<operations["events_list"]["parameters"]["query"]>, "since" | "until">;

export class Events {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /** GET /v1/events: all that match, read page by page; the latest first, or with `order` `asc` the earliest. */
  list(filter: EventFilter = {}, options: CallOptions = {}): AsyncGenerator<HomingEvent, void, undefined> {
    return rowsOf((cursor) => this.page({ ...filter, ...(cursor !== undefined && { cursor }) }, options), filter.cursor);
  }

  /** In ascending order each page with events has a `nextCursor`, to poll on with. */
  async page(filter: EventFilter = {}, options: CallOptions = {}): Promise<Page<HomingEvent>> {
    const page = await this.#caller.get<EventPage>("events", filter, options);
    return { rows: page.events, nextCursor: page.next_cursor };
  }

  /** GET /v1/events/{id} */
  get(id: string, options: CallOptions = {}): Promise<HomingEvent> {
    return this.#caller.get(`events/${segment(id)}`, {}, options);
  }
}
