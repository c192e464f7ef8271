"""The smpp role: the SMPP server for customers."""

import random

from homing.accounts.binds import BindRegister
from homing.accounts.directory import Directory
from homing.accounts.query_budget import QueryBudget
from homing.api.smpp.bind import BindAuthenticator
from homing.api.smpp.commands import CommandHandler
from homing.api.smpp.listener import SmppListener, listen_addresses
from homing.api.smpp.part_store import MultipartStore
from homing.api.smpp.queries import QueryHandler
from homing.app.password_locks import open_auth_guard
from homing.app.refused_calls import open_refusal_log
from homing.app.runtime import Runtime
from homing.delivery.bind_delivery import BindDelivery
from homing.guard.service import GuardService
from homing.intake.intake import Intake
from homing.messages.lookup import MessageLookup
from homing.observe.smpp import SmppMetrics
from homing.observe.work import WorkMetrics
from homing.routing.catalogue_cache import CatalogueCache
from homing.store.owners import is_dead
from homing.text.numbers import Numbering


async def open_smpp(runtime: Runtime) -> None:
    """A process of its own, so that nothing a customer does over SMPP keeps the carriers' sessions, or the HTTP
    dialects, from their turn. At the end binds are ended in order: requests are answered and deliveries recorded.

    Raises `InvalidInput` for settings that cannot be, OSError when an address cannot be bound.
    """
    database, clock, dialects = runtime.database, runtime.clock, runtime.dialects
    rng = random.Random()  # noqa: S311 - jitter, not secrets
    metrics = SmppMetrics()
    runtime.registry.register(metrics)
    catalogue = await runtime.enter(CatalogueCache(database))
    guard = await runtime.enter(GuardService(database, clock.unix_s))
    directory = Directory(database=database, vault=runtime.vault, email_keyed=dialects.email_keyed)
    intake = Intake(
        database=database,
        catalogue_cache=catalogue,
        numbering=Numbering.load(),
        next_id=runtime.node.next_id,
        clock=clock,
        check=guard.check,
    )
    lookup = MessageLookup(database)
    part_store = MultipartStore(database=database, intake=intake, directory=directory, lookup=lookup, clock=clock)
    delivery = BindDelivery(
        database=database, clock=clock, work_metrics=WorkMetrics(runtime.registry), smpp_metrics=metrics, rng=rng
    )
    runtime.on_close(delivery.drained)
    runtime.on_close(intake.drained)
    runtime.on_close(part_store.drained)

    auth_guard = await open_auth_guard(runtime)
    register = BindRegister(database, runtime.owner, clock)
    authenticator = BindAuthenticator(
        directory=directory,
        register=register,
        next_id=runtime.node.next_id,
        auth=auth_guard,
        binding=dialects.binding,
    )
    refusal_log = open_refusal_log(runtime)
    commands = CommandHandler(
        intake=intake,
        part_store=part_store,
        queries=QueryHandler(
            database=database,
            lookup=lookup,
            part_store=part_store,
            budget=QueryBudget(),
            clock=clock,
            dialects=dialects,
        ),
        metrics=metrics,
        refusal_log=refusal_log,
        next_id=runtime.node.next_id,
        clock=clock,
    )
    listener = await runtime.enter(
        SmppListener(
            addresses=listen_addresses(runtime.settings.smpp),
            directory=directory,
            register=register,
            authenticator=authenticator,
            commands=commands,
            delivery=delivery,
            metrics=metrics,
            refusal_log=refusal_log,
            is_dead=lambda other: is_dead(other, runtime.owner),
        )
    )
    runtime.follow_settings(catalogue, guard, directory, listener)
    runtime.background("multipart_messages", part_store.run)
    runtime.background("binds", listener.watch)
    runtime.background("bind_delivery", delivery.run)
