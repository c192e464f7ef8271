"""How many pushes a process posts at once, divided between accounts and, within an account, between its recipients."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from homing import limits
from homing.store.statements.pushes import BusyAccount, ClaimedPush

Recipient = tuple[int, int]
"""Account and webhook endpoint; 0: the addresses of the account's apps and messages, together."""
OWN_ADDRESSES: Final = 0


class PushPlaces:
    """The pushes in flight. An account has no more places than are free, and an endpoint no more than its account has
    free: so however many do not answer, there is room for another. `PUSH_IN_FLIGHT_PER_ENDPOINT_MIN` places are each
    recipient's own.
    """

    def __init__(self) -> None:
        self.in_flight = 0
        self.push_ids: set[int] = set()
        self._by_account: Counter[int] = Counter()
        self._by_recipient: Counter[Recipient] = Counter()

    def take(self, pushes: Sequence[ClaimedPush]) -> None:
        for push in pushes:
            self.in_flight += 1
            self.push_ids.add(push.push_id)
            self._by_account[push.account_id] += 1
            self._by_recipient[push.account_id, push.webhook_id] += 1

    def give_back(self, pushes: Sequence[ClaimedPush]) -> None:
        for push in pushes:
            self.in_flight -= 1
            self.push_ids.discard(push.push_id)
            self._by_account[push.account_id] -= 1
            self._by_recipient[push.account_id, push.webhook_id] -= 1
        self._by_account += Counter()  # leaves those above zero
        self._by_recipient += Counter()

    def free(self) -> int:
        return limits.PUSH_IN_FLIGHT_MAX - self.in_flight

    def has_room(self, account_id: int, taken: Counter[int]) -> bool:
        """For another push to the account's own addresses, beside those reserved: `taken`, by account."""
        share = min(limits.PUSH_IN_FLIGHT_PER_ACCOUNT_MAX, self.free() - taken.total())
        return self._by_account[account_id] + taken[account_id] < share

    def busy_accounts(self) -> Sequence[BusyAccount]:
        """How many more pushes a claim may take for a recipient, of each account that has some in flight. An endpoint
        takes half of what its account has free at most.
        """
        least, most = limits.PUSH_IN_FLIGHT_PER_ENDPOINT_MIN, limits.PUSH_IN_FLIGHT_PER_ENDPOINT_MAX
        return [
            BusyAccount(account_id=account_id, room=max(least, free), endpoint_room=max(least, min(most, free // 2)))
            for account_id, free in ((account_id, self._free_of(account_id)) for account_id in self._by_account)
        ]

    def full_account_ids(self) -> Sequence[int]:
        """Accounts whose own addresses have their share."""
        return [account_id for (account_id, webhook_id) in self._full() if webhook_id == OWN_ADDRESSES]

    def full_webhook_ids(self) -> Sequence[int]:
        """Endpoints that have their share."""
        return [webhook_id for (_account_id, webhook_id) in self._full() if webhook_id != OWN_ADDRESSES]

    def has_full(self, pushes: Sequence[ClaimedPush]) -> bool:
        """Whether one of their recipients has its share now, so that there may be more than were claimed."""
        return not self._full().isdisjoint((push.account_id, push.webhook_id) for push in pushes)

    def _full(self) -> set[Recipient]:
        full = set()
        for recipient, places in self._by_recipient.items():
            account_id, webhook_id = recipient
            free = self._free_of(account_id)
            is_full = (
                free <= 0
                if webhook_id == OWN_ADDRESSES
                else places >= min(limits.PUSH_IN_FLIGHT_PER_ENDPOINT_MAX, free)
            )
            if is_full and places >= limits.PUSH_IN_FLIGHT_PER_ENDPOINT_MIN:
                full.add(recipient)
        return full

    def _free_of(self, account_id: int) -> int:
        """Negative where a claim has taken more than the share."""
        return min(limits.PUSH_IN_FLIGHT_PER_ACCOUNT_MAX, self.free()) - self._by_account[account_id]
