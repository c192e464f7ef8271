"""Outlooks of the learner as arrays, to decide on all people of a tick at once (learning/outlook.py for one)."""

import numpy as np
from numpy.typing import NDArray

from homing.lab.event_queue import ACCOUNT_ID
from homing.lab.world import World
from homing.learning.learner import RoutingLearner
from homing.learning.outlook import (
    AGES_S,
    ANSWERED_MIN,
    FALSE_RECEIPT,
    LOOK_FIRST_S,
    LOOK_GROWTH,
    PATIENCE_S,
    REACHED_MIN,
)
from homing.model import ReceiptState
from homing.routing.cells import CellKey

UNKNOWN: int = -1


class OutlookTables:
    """By cell (app x destination) and carrier. What is not known is NaN."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._ages_s = np.array((0.0, *AGES_S))
        self.refresh(None)

    def refresh(self, learner: RoutingLearner | None) -> None:
        """Takes the outlooks of all cells from the learner."""
        world = self._world
        destinations, carriers = len(world.destinations), len(world.scenario.carriers)
        cells = len(world.scenario.apps) * destinations
        self._destinations = destinations
        self._willing = np.full(cells, np.nan)
        self._reached, self._trust, self._receipted = (np.full((cells, carriers), np.nan) for _ in range(3))
        self._answers, self._receipts = (np.full((cells, carriers, len(self._ages_s)), np.nan) for _ in range(2))
        if learner is None:
            return
        for a, app in enumerate(world.scenario.apps):
            for d, destination in enumerate(world.destinations):
                outlook = learner.outlook(CellKey(ACCOUNT_ID, app.name, destination.country, destination.network))
                if outlook is None:
                    continue
                cell = a * destinations + d
                self._willing[cell] = outlook.willing
                for carrier in outlook.carriers:
                    at = cell, carrier.carrier_id - 1
                    self._reached[at], self._trust[at] = carrier.reached, carrier.trust
                    self._receipted[at] = carrier.receipted
                    self._answers[at] = (0.0, *carrier.answers)
                    self._receipts[at] = (0.0, *carrier.receipts)

    def next_carriers(self, people: NDArray[np.void]) -> NDArray[np.int64]:
        """The best carrier that a person's code has not gone by; UNKNOWN: there is none."""
        reached = np.nan_to_num(self._reached[self._cells(people)], nan=-1.0)
        tried = people["carrier"]
        for slot in range(tried.shape[1]):
            has = np.flatnonzero(tried[:, slot] >= 0)
            reached[has, tried[has, slot]] = -1.0
        best = reached.argmax(axis=1)
        chosen: NDArray[np.int64] = np.where(reached.max(axis=1) > 0, best, UNKNOWN)
        return chosen

    def due(
        self, people: NDArray[np.void], now_s: float, price_micro: NDArray[np.int64], worth_micro: int
    ) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Whose code is to be sent again now, and by which carrier (verification/likely_lost.py)."""
        carrier, gain, open_share = self.gains(people, now_s)
        sent_s = np.where(people["carrier"] >= 0, people["sent_s"], -np.inf)
        last, rows = sent_s.argmax(axis=1), np.arange(len(people))
        age_s = now_s - sent_s[rows, last]
        answered = self._shares(self._answers[self._cells(people), people["carrier"][rows, last]], age_s)
        failed = (people["receipt_s"][rows, last] <= now_s) & (people["receipt"][rows, last] == ReceiptState.LOST)
        is_early = ~failed & (answered < ANSWERED_MIN)
        wait_s = np.maximum(LOOK_FIRST_S, age_s * LOOK_GROWTH)
        _carrier, _gain, open_later = self.gains(people, now_s, wait_s)
        worth_in_prices = worth_micro / price_micro
        with np.errstate(invalid="ignore"):
            resolved = 1.0 - open_later / open_share
            is_better_later = resolved > gain * worth_in_prices * wait_s / PATIENCE_S
        return (carrier >= 0) & (gain * worth_in_prices > 1.0) & ~is_better_later & ~is_early, carrier

    def gains(
        self, people: NDArray[np.void], now_s: float, wait_s: float | NDArray[np.float64] = 0.0
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """The best other carrier, the probability that a message by it wins the person, and the share of people of whom
        no more is known (`best_resend`); after a wait in which nothing more becomes known.
        """
        cells = self._cells(people)
        carrier = self.next_carriers(people)
        willing = self._willing[cells]
        unwilling, lost = 1.0 - willing, willing.copy()
        for slot in range(people["carrier"].shape[1]):
            sent = people["carrier"][:, slot]
            has = sent >= 0
            at = cells, np.maximum(sent, 0)
            age_s = np.maximum(0.0, now_s - people["sent_s"][:, slot]) + wait_s
            answered, receipts = self._shares(self._answers[at], age_s), self._shares(self._receipts[at], age_s)
            known = people["receipt_s"][:, slot] <= now_s
            is_lost = known & (people["receipt"][:, slot] == ReceiptState.LOST)
            is_delivered = known & ~is_lost
            trust = self._trust[at]
            if_reached = np.where(
                is_lost,
                FALSE_RECEIPT * (1.0 - self._reached[at]) / np.maximum(self._reached[at], REACHED_MIN),
                np.where(
                    is_delivered, 1.0, 1.0 - trust * np.minimum(1.0 - FALSE_RECEIPT, self._receipted[at]) * receipts
                ),
            )
            if_lost = np.where(is_delivered, trust * FALSE_RECEIPT + (1.0 - trust), 1.0)
            reached, missed = self._reached[at] * if_reached, (1.0 - self._reached[at]) * if_lost
            unwilling = np.where(has, unwilling * (reached + missed), unwilling)
            willing = np.where(has, willing * (reached * (1.0 - answered) + missed), willing)
            lost = np.where(has, lost * missed, lost)
        everybody = unwilling + willing
        gain = self._reached[cells, np.maximum(carrier, 0)] * lost / everybody
        return carrier, np.where(carrier >= 0, np.nan_to_num(gain, nan=0.0), 0.0), everybody

    def _cells(self, people: NDArray[np.void]) -> NDArray[np.int64]:
        cells: NDArray[np.int64] = people["app"].astype(np.int64) * self._destinations + people["destination"]
        return cells

    def _shares(self, tables: NDArray[np.float64], age_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Each row's curve at an age, linear between the ages."""
        after = np.searchsorted(self._ages_s, age_s, side="left").clip(1, len(self._ages_s) - 1)
        start_s, end_s = self._ages_s[after - 1], self._ages_s[after]
        rows = np.arange(len(age_s))
        start, end = tables[rows, after - 1], tables[rows, after]
        shares: NDArray[np.float64] = start + (end - start) * ((age_s - start_s) / (end_s - start_s)).clip(0, 1)
        return shares
