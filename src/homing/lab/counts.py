"""What a run counts, by the minute of the submit. The counts know the truth; no policy sees them."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from homing.lab.world import PERSON, World

Counts = NDArray[np.int64]


class RunCounts(msgspec.Struct, frozen=True):
    """Messages of people and of attacks. A conversion counts for the message that it is credited to."""

    people: Counts  # [minute] of their first message
    refused: Counts  # [minute] people refused at least once, at their first refusal
    messages: Counts  # [minute, carrier] of people, sent
    ticks: Counts  # [tick, carrier] the same by tick
    delivered: Counts  # [minute, carrier] of people, that reached them
    cost_micro: Counts  # [minute] of people's messages
    converted: Counts  # [minute] of people
    refused_messages: Counts  # [minute] of people and attacks
    attack_messages: Counts  # [attack, minute] submitted
    attack_wanted_micro: Counts  # [attack, minute] the price of all submitted messages
    attack_spent_micro: Counts  # [attack, minute] the price of those that were not refused
    attack_converted: Counts  # [attack, minute] reported as converted
    numbers: tuple[set[int], ...]  # distinct numbers of people: of ordinary traffic, then of each event
    refused_numbers: tuple[set[int], ...]  # likewise, of those who were refused at least once

    @classmethod
    def of(cls, world: World) -> "RunCounts":
        minutes, carriers = world.minutes + 1, len(world.scenario.carriers)
        attacks = len(world.scenario.attacks)
        by_minute = [np.zeros(minutes, np.int64) for _ in range(5)]
        by_carrier = [np.zeros((minutes, carriers), np.int64) for _ in range(2)]
        by_attack = [np.zeros((attacks, minutes), np.int64) for _ in range(4)]
        ticks = np.zeros((world.ticks, carriers), np.int64)
        crowds = len(world.scenario.events) + 1
        return cls(
            people=by_minute[0],
            refused=by_minute[1],
            messages=by_carrier[0],
            ticks=ticks,
            delivered=by_carrier[1],
            cost_micro=by_minute[2],
            converted=by_minute[3],
            refused_messages=by_minute[4],
            attack_messages=by_attack[0],
            attack_wanted_micro=by_attack[1],
            attack_spent_micro=by_attack[2],
            attack_converted=by_attack[3],
            numbers=tuple(set() for _ in range(crowds)),
            refused_numbers=tuple(set() for _ in range(crowds)),
        )


class SentTick(msgspec.Struct, frozen=True, kw_only=True):
    """The messages of a tick, as arrays of one length. `carrier` -1: refused. `has_numbers`: whether distinct numbers
    are counted.
    """

    minute: int
    tick: int
    has_numbers: bool
    source: NDArray[np.int16]
    number: NDArray[np.int64]
    event: NDArray[np.int8]
    tries: NDArray[np.int8]
    was_refused: NDArray[np.bool_]
    carrier: NDArray[np.int64]
    reached: NDArray[np.bool_]
    cost_micro: NDArray[np.int64]
    price_micro: NDArray[np.int64]


def count_tick(counts: RunCounts, sent: SentTick) -> None:
    minute = sent.minute
    is_person = sent.source == PERSON
    passed = sent.carrier >= 0
    carriers = counts.messages.shape[1]
    counts.people[minute] += np.count_nonzero(is_person & (sent.tries == 0))
    counts.refused[minute] += np.count_nonzero(is_person & ~passed & ~sent.was_refused)
    counts.refused_messages[minute] += np.count_nonzero(~passed)
    of_people = is_person & passed
    counts.ticks[sent.tick] = np.bincount(sent.carrier[of_people], minlength=carriers)
    counts.messages[minute] += counts.ticks[sent.tick]
    counts.delivered[minute] += np.bincount(sent.carrier[of_people & sent.reached], minlength=carriers)
    counts.cost_micro[minute] += int(sent.cost_micro[of_people].sum())
    if sent.has_numbers:
        for event in np.unique(sent.event[is_person]).tolist():
            of_event = is_person & (sent.event == event)
            counts.numbers[event].update(sent.number[of_event].tolist())
            counts.refused_numbers[event].update(sent.number[of_event & ~passed].tolist())
    if not is_person.all():
        for number in range(1, len(counts.attack_messages) + 1):
            of_attack = sent.source == number
            counts.attack_messages[number - 1, minute] += np.count_nonzero(of_attack)
            counts.attack_wanted_micro[number - 1, minute] += int(sent.price_micro[of_attack].sum())
            counts.attack_spent_micro[number - 1, minute] += int(sent.price_micro[of_attack & passed].sum())
