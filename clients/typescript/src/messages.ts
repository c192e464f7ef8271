/** Messages: sent, quoted, read, cancelled. */

import { segment, type Caller, type CallOptions, type ChangeOptions } from "./call.js";
import type { Dated } from "./dated.js";
import type {
  MessageBody,
  MessageItem,
  MessagePage,
  MessageQuote,
  MessageResults,
  MessagesBody,
  MessageView,
  operations,
} from "./openapi.js";
import { rowsOf, type Page } from "./paging.js";

export type NewMessage = Dated<Omit<MessageBody, "dry_run">, "send_at">;
export type ManyOptions = Dated<Omit<MessagesBody, "messages" | "dry_run">, "send_at">;
export type MessageFilter = Dated<
  NonNullable<operations["messages_list"]["parameters"]["query"]>,
  "since" | "until"
>;

const FINAL: ReadonlySet<MessageView["status"]> = new Set([
  "delivered",
  "undeliverable",
  "expired",
  "rejected",
  "failed",
  "cancelled",
]);

/** Whether the status cannot change any more. `unknown` is not final: a receipt may still come. */
export function isFinal(status: MessageView["status"]): boolean {
  return FINAL.has(status);
}

export class Messages {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /** POST /v1/messages: sends a message. */
  send(message: NewMessage, options: ChangeOptions = {}): Promise<MessageView> {
    return this.#caller.post("messages", message, options);
  }

  /** Up to 1000 at once, each with a result: `message`, or `error` (a problem document). They are charged together. */
  sendMany(messages: readonly MessageItem[], more: ManyOptions = {}, options: ChangeOptions = {}): Promise<MessageResults> {
    return this.#caller.post("messages", { ...more, messages }, options);
  }

  /** What the message would cost, with its segments: nothing is sent, charged or stored. */
  quote(message: NewMessage, options: CallOptions = {}): Promise<MessageQuote> {
    return this.#caller.post("messages", { ...message, dry_run: true }, options);
  }

  quoteMany(messages: readonly MessageItem[], more: ManyOptions = {}, options: CallOptions = {}): Promise<MessageResults> {
    return this.#caller.post("messages", { ...more, messages, dry_run: true }, options);
  }

  /** GET /v1/messages/{id} */
  get(id: string, options: CallOptions = {}): Promise<MessageView> {
    return this.#caller.get(`messages/${segment(id)}`, {}, options);
  }

  /** POST /v1/messages/{id}/cancel: only while it is queued. Rejects with `TooLateToCancelError` afterwards. */
  cancel(id: string, options: ChangeOptions = {}): Promise<MessageView> {
    return this.#caller.post(`messages/${segment(id)}/cancel`, {}, options);
  }

  /** GET /v1/messages: all that match, the latest first, read page by page. */
  list(filter: MessageFilter = {}, options: CallOptions = {}): AsyncGenerator<MessageView, void, undefined> {
    return rowsOf((cursor) => this.page({ ...filter, ...(cursor !== undefined && { cursor }) }, options), filter.cursor);
  }

  async page(filter: MessageFilter = {}, options: CallOptions = {}): Promise<Page<MessageView>> {
    const page = await this.#caller.get<MessagePage>("messages", filter, options);
    return { rows: page.messages, nextCursor: page.next_cursor };
  }
}
