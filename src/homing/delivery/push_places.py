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
    """The pushes in flight. An account has no more places than are free, and a recipient no more than its account has
    free: so however many do not answer, there is room for another. `PUSH_IN_FLIGHT_PER_RECIPIENT_MIN` places are each
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
        free = min(limits.PUSH_IN_FLIGHT_PER_ACCOUNT_MAX, self.free() - taken.total()) - self._by_account[account_id]
        places = self._by_recipient[account_id, OWN_ADDRESSES] + taken[account_id]
        return places < min(limits.PUSH_IN_FLIGHT_PER_RECIPIENT_MAX, free)

    def busy_accounts(self) -> Sequence[BusyAccount]:
        """Accounts with pushes in flight, each with how many more a claim may take for one of its recipients: half of
        what the account has free at most.
        """
        return [
            BusyAccount(
                account_id=account_id,
                room=max(
                    limits.PUSH_IN_FLIGHT_PER_RECIPIENT_MIN,
                    min(limits.PUSH_IN_FLIGHT_PER_RECIPIENT_MAX, self._free_of(account_id) // 2),
                ),
            )
            for account_id in self._by_account
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
            share = min(limits.PUSH_IN_FLIGHT_PER_RECIPIENT_MAX, self._free_of(recipient[0]))
            if places >= max(limits.PUSH_IN_FLIGHT_PER_RECIPIENT_MIN, share):
                full.add(recipient)
        return full

    def _free_of(self, account_id: int) -> int:
        """Negative where a claim has taken more than the share."""
        return min(limits.PUSH_IN_FLIGHT_PER_ACCOUNT_MAX, self.free()) - self._by_account[account_id]
