"""Wires the parts of the SMPP server, which an smpp process opens and closes as one."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from datetime import datetime

from prometheus_client import CollectorRegistry

from homing import errors
from homing.accounts.binds import BindRegister
from homing.accounts.directory import Directory
from homing.accounts.query_budget import QueryBudget
from homing.api.http.auth_guard import AuthGuard
from homing.api.smpp.bind import BindAuthenticator
from homing.api.smpp.commands import CommandHandler
from homing.api.smpp.listener import SmppListener, listen_addresses
from homing.api.smpp.part_store import MultipartStore
from homing.api.smpp.queries import QueryHandler
from homing.config import SmppServerSettings
from homing.delivery.bind_delivery import BindDelivery
from homing.dialects.base import Dialects
from homing.intake.intake import Intake
from homing.messages.lookup import MessageLookup
from homing.observe.smpp import SmppMetrics
from homing.observe.work import WorkMetrics
from homing.store.database import Database
from homing.store.owners import is_dead

Background = Callable[[str, Callable[[], Awaitable[None]]], "asyncio.Task[None]"]


class SmppServer:
    """`open`, then `close`; `changed` when an account's settings have, `forget` when notices may have been missed."""

    def __init__(
        self,
        *,
        settings: SmppServerSettings,
        database: Database,
        directory: Directory,
        intake: Intake,
        next_id: Callable[[], int],
        owner: str,
        clock: Callable[[], datetime],
        tally: WorkMetrics,
        chance: random.Random,
        registry: CollectorRegistry,
        dialects: Dialects,
    ) -> None:
        """Raises `InvalidInput` for settings that cannot be."""
        smpp_metrics = SmppMetrics()
        registry.register(smpp_metrics)
        lookup = MessageLookup(database)
        register = BindRegister(database, owner, clock)
        self._directory = directory
        self._intake = intake
        self._auth = AuthGuard(database, registry, dialects)
        self._delivery = BindDelivery(database, clock, tally, smpp_metrics, chance)
        self._part_store = MultipartStore(database, intake, directory, lookup, clock)
        queries = QueryHandler(database, lookup, self._part_store, QueryBudget(), clock, dialects)
        self._listener = SmppListener(
            addresses=listen_addresses(settings),
            directory=directory,
            register=register,
            authenticator=BindAuthenticator(
                directory=directory,
                register=register,
                next_id=next_id,
                auth=self._auth,
                binding=dialects.binding,
            ),
            commands=CommandHandler(
                intake=intake,
                part_store=self._part_store,
                queries=queries,
                metrics=smpp_metrics,
                next_id=next_id,
                clock=clock,
            ),
            delivery=self._delivery,
            metrics=smpp_metrics,
            is_dead=lambda other: is_dead(other, owner),
        )
        self._delivering: asyncio.Task[None] | None = None

    async def open(self, background: Background) -> None:
        """Raises OSError when an address cannot be bound."""
        with contextlib.suppress(errors.PlatformFailure):
            await self._auth.share()
        await self._listener.open()
        self._delivering = background("bind_deliveries", self._delivery.run)
        background("long_messages", self._part_store.run)
        background("binds", self._listener.watch)
        background("password_locks", self._auth.share_for_ever)

    def changed(self, account: str) -> None:
        """`account`: its id as text."""
        self._directory.changed(account)
        self._listener.changed(account)

    def forget(self) -> None:
        self._directory.forget_all()

    async def close(self) -> None:
        """Unbinds in order; open requests are answered and deliveries recorded."""
        if self._delivering:
            self._delivering.cancel()
        await self._listener.close()
        await self._part_store.drained()
        await self._intake.drained()
        await self._delivery.drained()
