/** The client of Homing's own API: messages, verification codes, webhooks. See docs/integrate/clients.md. */

export { Homing } from "./homing.js";
export type { InboundFilter, NewConversion, PageFilter } from "./homing.js";
export type { CallOptions, ChangeOptions, HomingOptions } from "./call.js";
export { isFinal } from "./messages.js";
export type { ManyOptions, MessageFilter, Messages, NewMessage } from "./messages.js";
export type { DeliveryFilter, Replay, WebhookEndpoints } from "./endpoints.js";
export type { EventFilter, Events, HomingEvent } from "./events.js";
export type { Apps } from "./apps.js";
export type { Verifications } from "./verifications.js";
export type { Page } from "./paging.js";
export { WebhookVerifier } from "./webhooks.js";
export type { RequestHeaders, SignedWebhook, VerifierOptions } from "./webhooks.js";
export * from "./errors.js";
export type {
  AppChangeBody,
  AppView,
  BalanceView,
  BatchItemResult,
  ConversionView,
  DeliveryView,
  InboundView,
  LookupView,
  MemberError,
  MessageItem,
  MessageQuote,
  MessageResults,
  MessageView,
  Money,
  PostingView,
  ProblemDocument,
  ReplayView,
  SecretView,
  TestResultView,
  VerificationBody,
  VerificationView,
  WebhookBody,
  WebhookView,
} from "./openapi.js";
