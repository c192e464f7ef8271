"""What a run counts, by the minute of the submit: the lab's own books, which see everything and tell no policy."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from homing.lab.world import PERSON, World

Counts = NDArray[np.int64]


class RunCounts(msgspec.Struct, frozen=True):
    """Real people's messages and the attacks'. A conversion stands at the message that it is credited to."""

    people: Counts  # [minute] who came, at their first message
    refused: Counts  # [minute] of them who met a refusal, at the first one
    messages: Counts  # [minute, carrier] real people's that were sent
    ticks: Counts  # [tick, carrier] as messages
    delivered: Counts  # [minute, carrier] that reached the person
    cost_micro: Counts  # [minute] of real people's messages
    converted: Counts  # [minute]
    refused_messages: Counts  # [minute] whoever's
    attack_messages: Counts  # [attack, minute] tried
    attack_wanted_micro: Counts  # [attack, minute] what they would have cost the customer
    attack_spent_micro: Counts  # [attack, minute] what those that passed did cost it
    attack_converted: Counts  # [attack, minute] forged or mimicked

    @classmethod
    def of(cls, world: World) -> "RunCounts":
        minutes, carriers = world.minutes + 1, len(world.scenario.carriers)
        attacks = len(world.scenario.attacks)
        by_minute = [np.zeros(minutes, np.int64) for _ in range(5)]
        by_carrier = [np.zeros((minutes, carriers), np.int64) for _ in range(2)]
        by_attack = [np.zeros((attacks, minutes), np.int64) for _ in range(4)]
        ticks = np.zeros((world.ticks, carriers), np.int64)
        return cls(
            by_minute[0],
            by_minute[1],
            by_carrier[0],
            ticks,
            by_carrier[1],
            by_minute[2],
            by_minute[3],
            by_minute[4],
            *by_attack,
        )


class SentTick(msgspec.Struct, frozen=True):
    """A tick's messages as arrays of one length, for the books. `carrier` -1: refused."""

    minute: int
    tick: int
    source: NDArray[np.int16]
    tries: NDArray[np.int8]
    was_refused: NDArray[np.bool_]
    carrier: NDArray[np.int64]
    reached: NDArray[np.bool_]
    cost_micro: NDArray[np.int64]
    price_micro: NDArray[np.int64]


def enter(tally: RunCounts, sent: SentTick) -> None:
    minute = sent.minute
    real = sent.source == PERSON
    passed = sent.carrier >= 0
    kinds = tally.messages.shape[1]
    tally.people[minute] += np.count_nonzero(real & (sent.tries == 0))
    tally.refused[minute] += np.count_nonzero(real & ~passed & ~sent.was_refused)
    tally.refused_messages[minute] += np.count_nonzero(~passed)
    mine = real & passed
    tally.ticks[sent.tick] = np.bincount(sent.carrier[mine], minlength=kinds)
    tally.messages[minute] += tally.ticks[sent.tick]
    tally.delivered[minute] += np.bincount(sent.carrier[mine & sent.reached], minlength=kinds)
    tally.cost_micro[minute] += int(sent.cost_micro[mine].sum())
    if not real.all():
        for number in range(1, len(tally.attack_messages) + 1):
            theirs = sent.source == number
            tally.attack_messages[number - 1, minute] += np.count_nonzero(theirs)
            tally.attack_wanted_micro[number - 1, minute] += int(sent.price_micro[theirs].sum())
            tally.attack_spent_micro[number - 1, minute] += int(sent.price_micro[theirs & passed].sum())
