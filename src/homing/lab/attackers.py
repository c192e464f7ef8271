"""Attackers that look for their way: they see which of their messages are refused, and go where none is.

Each has a number of slots. A slot sends to one block of a thousand numbers until it leaves it for a fresh one. The
order of fresh blocks and the slot of each message are drawn in advance, as everything is: under all policies the same
attacker stands before the same choices.
"""

import numpy as np
from numpy.typing import NDArray

from homing.lab.scenario import Attack
from homing.lab.world import BLOCK, Demand, World, permute


class Attackers:
    """Those of a run. Between ticks they learn what became of their messages."""

    def __init__(self, world: World) -> None:
        self._adaptive = {
            number: _AdaptiveAttacker(world, attack, number)
            for number, attack in enumerate(world.scenario.attacks, 1)
            if attack.is_adaptive
        }

    def assign(self, demand: Demand) -> None:
        """Gives the messages of a tick their numbers, in place."""
        for number, attacker in self._adaptive.items():
            rows = np.flatnonzero(demand["source"] == number)
            if len(rows):
                attacker.assign(demand, rows)

    def observe(self, demand: Demand, carrier: NDArray[np.int64]) -> None:
        """`carrier` of a message is -1 where it was refused."""
        for number, attacker in self._adaptive.items():
            refused = (demand["source"] == number) & (carrier < 0)
            if refused.any():
                attacker.leave({*(demand["number"][refused] // BLOCK).tolist()})


class _AdaptiveAttacker:
    def __init__(self, world: World, attack: Attack, number: int) -> None:
        self._world, self._attack = world, attack
        self._what = f"the {attack.kind} attack"
        self._blocks_of = [10 ** (target.digits - len(target.prefix) - 3) for target in attack.targets]
        self._layouts = [world.layout(number, n, blocks) for n, blocks in enumerate(self._blocks_of)]
        self._used = [0] * len(attack.targets)  # blocks by target
        self._next_target = 0
        self._slots: list[tuple[int, int] | None] = [None] * attack.ranges  # block, messages to it so far
        self._tour = -1

    def assign(self, demand: Demand, rows: NDArray[np.int64]) -> None:
        per_range = self._attack.messages_per_range
        for row, latent, at_s in zip(
            rows.tolist(), demand["number"][rows].tolist(), demand["at_s"][rows].tolist(), strict=True
        ):
            self._travel(at_s)
            slot, last_digits = divmod(latent, BLOCK)
            held = self._slots[slot]
            if held is None or (per_range and held[1] >= per_range):
                held = self._fresh_block(), 0
            block, messages = held
            self._slots[slot] = block, messages + 1
            demand["number"][row] = block * BLOCK + last_digits
            demand["destination"][row], demand["country"][row] = self._world.place(block, self._what)

    def leave(self, refused: set[int]) -> None:
        """`refused`: blocks to which a message was refused."""
        if self._attack.hops:
            self._slots = [None if held is not None and held[0] in refused else held for held in self._slots]

    def _travel(self, at_s: float) -> None:
        """To the next network, when the time in this one is over."""
        if self._attack.network_min:
            tour = int((at_s / 60 - self._attack.from_h * 60) // self._attack.network_min)
            if tour != self._tour:
                self._tour, self._next_target = tour, tour % len(self._attack.targets)
                self._slots = [None] * self._attack.ranges

    def _fresh_block(self) -> int:
        n = self._next_target
        if not self._attack.network_min:
            self._next_target = (n + 1) % len(self._attack.targets)
        step, offset = self._layouts[n]
        nth = self._used[n]
        self._used[n] = nth + 1
        blocks: int = self._blocks_of[n]
        return int(self._attack.targets[n].prefix) * blocks + permute(nth, step, offset, blocks)
