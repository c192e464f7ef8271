/** The client of Homing's own API. */

import { Apps } from "./apps.js";
import { Caller, type CallOptions, type ChangeOptions, type HomingOptions } from "./call.js";
import { WebhookEndpoints } from "./endpoints.js";
import { Events } from "./events.js";
import { Messages } from "./messages.js";
import type {
  BalanceView,
  ConversionBody,
  ConversionView,
  InboundList,
  InboundView,
  LookupView,
  PostingView,
  StatementPage,
} from "./openapi.js";
import { rowsOf, type Page } from "./paging.js";
import { Verifications } from "./verifications.js";

export interface PageFilter {
  /** Rows of a page, 1 to 100; 50 if not given. */
  limit?: number;
  cursor?: string;
}

export interface InboundFilter extends PageFilter {
  since?: string | Date;
}

/** What a conversion is of: one message, or the latest to a number. */
export type NewConversion = Omit<ConversionBody, "converted_at" | "message_id" | "to"> & {
  converted_at?: string | Date;
} & ({ message_id: string; to?: never } | { to: string; message_id?: never });

/**
 * Calls a Homing server. Members have the names that they have in the API. Every method rejects with a `HomingError`.
 *
 *     const homing = new Homing({ key: "hm_...", baseUrl: "https://sms.example.com/v1" });
 *     const { id } = await homing.verifications.create({ to: "+8613800130001" });
 *     const { status } = await homing.verifications.check(id, "123456");
 */
export class Homing {
  readonly messages: Messages;
  readonly verifications: Verifications;
  readonly apps: Apps;
  readonly webhooks: WebhookEndpoints;
  readonly events: Events;
  readonly #caller: Caller;

  constructor(options: HomingOptions) {
    this.#caller = new Caller(options);
    this.messages = new Messages(this.#caller);
    this.verifications = new Verifications(this.#caller);
    this.apps = new Apps(this.#caller);
    this.webhooks = new WebhookEndpoints(this.#caller);
    this.events = new Events(this.#caller);
  }

  /** POST /v1/conversions: a person used a message whose code you check yourself. */
  reportConversion(conversion: NewConversion, options: ChangeOptions = {}): Promise<ConversionView> {
    return this.#caller.post("conversions", conversion, options);
  }

  /** GET /v1/balance */
  balance(options: CallOptions = {}): Promise<BalanceView> {
    return this.#caller.get("balance", {}, options);
  }

  /** POST /v1/lookups: what is known of a number. Posted, so that no log of addresses has the number. */
  lookup(number: string, options: CallOptions = {}): Promise<LookupView> {
    return this.#caller.post("lookups", { number }, options);
  }

  /** GET /v1/statement: all postings, the latest first, read page by page. */
  statement(filter: PageFilter = {}, options: CallOptions = {}): AsyncGenerator<PostingView, void, undefined> {
    return rowsOf((cursor) => this.statementPage(at(filter, cursor), options), filter.cursor);
  }

  async statementPage(filter: PageFilter = {}, options: CallOptions = {}): Promise<Page<PostingView>> {
    const page = await this.#caller.get<StatementPage>("statement", { ...filter }, options);
    return { rows: page.postings, nextCursor: page.next_cursor };
  }

  /** GET /v1/inbound: what people sent, the latest first, read page by page. */
  inbound(filter: InboundFilter = {}, options: CallOptions = {}): AsyncGenerator<InboundView, void, undefined> {
    return rowsOf((cursor) => this.inboundPage(at(filter, cursor), options), filter.cursor);
  }

  async inboundPage(filter: InboundFilter = {}, options: CallOptions = {}): Promise<Page<InboundView>> {
    const page = await this.#caller.get<InboundList>("inbound", { ...filter }, options);
    return { rows: page.messages, nextCursor: page.next_cursor };
  }
}

function at<Filter extends PageFilter>(filter: Filter, cursor: string | undefined): Filter {
  return cursor === undefined ? filter : { ...filter, cursor };
}
