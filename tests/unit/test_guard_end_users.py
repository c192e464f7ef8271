"""End users' addresses: what is read as one, and what their hashes say and do not say."""

import secrets

import pytest

from homing.common.crypto import Vault
from homing.guard.end_users import AddressHasher, address_name, read_address
from homing.guard.enforcement import Enforcer, GuardRequest
from homing.guard.rules import RULES, GuardRules, RuleMode
from homing.guard.snapshot import AddressStanding, GuardSnapshot, Verdict, decode_snapshot, encode_snapshot
from homing.model import GENERAL, GuardAction
from homing.reasons import Reason, ReasonCode
from homing.text.numbers import Destination

NOW_S = 1_800_000_000.0
HASHER = AddressHasher(Vault(secrets.token_bytes(32)))


def parts(text: str, account_id: int = 1) -> tuple[int | None, ...]:
    end_user = HASHER.of(account_id, text)
    assert end_user is not None
    return end_user.address, end_user.prefix, end_user.site


def test_neighbours_share_their_prefixes_and_nothing_else() -> None:
    mine, neighbour, stranger = parts("93.184.216.34"), parts("93.184.216.35"), parts("93.184.217.34")
    assert mine[0] != neighbour[0]
    assert mine[1] == neighbour[1] != stranger[1]
    assert mine[2] is None
    mine, room, site = parts("2606:4700:1:2::1"), parts("2606:4700:1:2::9"), parts("2606:4700:1:3::1")
    assert mine[1:] == room[1:]
    assert mine[0] != room[0]
    assert mine[2] == site[2]
    assert mine[1] != site[1]
    assert parts("2606:4700:2:2::1")[2] != mine[2]


def test_one_address_is_the_same_however_it_is_written() -> None:
    assert parts("::ffff:93.184.216.34") == parts(" 93.184.216.34 ") == parts("93.184.216.34")
    assert parts("2606:4700:0001:0002:0:0:0:1") == parts("2606:4700:1:2::1")


def test_hashes_of_two_accounts_or_two_installations_differ() -> None:
    assert parts("93.184.216.34", 1) != parts("93.184.216.34", 2)
    elsewhere = AddressHasher(Vault(secrets.token_bytes(32))).of(1, "93.184.216.34")
    assert elsewhere is not None
    assert elsewhere.address != parts("93.184.216.34")[0]


@pytest.mark.parametrize(
    "text", ["", "x", "1.2.3", "1.2.3.4.5", "93.184.216.34/24", "0x5d.1.1.1", "9" * 64, "\0", "::1::", "93.184.216.034"]
)
def test_garbage_is_no_address(text: str) -> None:
    assert read_address(text) is None
    assert HASHER.of(1, text) is None


@pytest.mark.parametrize(
    "text",
    [
        "10.0.0.1",
        "127.0.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.1.1",
        "0.0.0.0",
        "224.0.0.1",
        "::1",
        "fe80::1%eth0",
        "fd00::1",
        "ff02::1",
        "::ffff:10.0.0.1",
    ],
)
def test_a_private_or_reserved_address_is_no_evidence(text: str) -> None:
    assert read_address(text) is not None
    assert HASHER.of(1, text) is None


def decide(enforcer: Enforcer, text: str, app: str = "app") -> tuple[GuardAction, str, ReasonCode | None, str]:
    request = GuardRequest(
        account_id=1,
        app_id=app,
        message_id=1,
        number=f"62812{secrets.randbelow(10**7):07}",
        destination=Destination("ID", "62", "510", "10", "somebody"),
        charge_micro=20_000,
        end_user=HASHER.of(1, text),
    )
    decision = enforcer.decide(request, NOW_S)
    return decision.action, decision.rule, None if decision.reason is None else decision.reason.code, decision.scope


def enforcer_of(snapshot: GuardSnapshot, mode: RuleMode = RuleMode.BLOCK) -> Enforcer:
    enforcer = Enforcer()
    modes: dict[tuple[int, str], RuleMode] = {(GENERAL, rule): RuleMode.OFF for rule in RULES}
    enforcer.use_rules(GuardRules({**modes, (GENERAL, "address"): mode}))
    enforcer.use_snapshot(decode_snapshot(encode_snapshot(snapshot, 100)))
    return enforcer


def flagged(text: str, until_s: float = NOW_S + 60) -> GuardSnapshot:
    reason = Reason.of(
        ReasonCode.GUARD_ADDRESS_UNCONVERTED, part="/24", messages=40, conversions=0, expected=30.1, odds=900.0
    )
    standing = AddressStanding(Verdict(reason, NOW_S - 60, until_s), 0.0, 0.0)
    end_user = HASHER.of(1, text)
    assert end_user is not None
    return GuardSnapshot(
        NOW_S, addresses={(1, "app", end_user.prefix): standing}, reporting_apps=frozenset({(1, "app")})
    )


def test_messages_from_a_flagged_prefix_are_blocked_and_their_scope_is_no_address() -> None:
    enforcer = enforcer_of(flagged("93.184.216.34"))
    end_user = HASHER.of(1, "93.184.216.34")
    assert end_user is not None
    assert decide(enforcer, "93.184.216.99") == (
        GuardAction.BLOCK,
        "address",
        ReasonCode.GUARD_ADDRESS_UNCONVERTED,
        address_name(end_user.prefix),
    )
    assert decide(enforcer, "93.184.217.99")[0] is GuardAction.PASS
    assert decide(enforcer, "93.184.216.99", app="other")[0] is GuardAction.PASS
    assert decide(enforcer, "garbage")[0] is GuardAction.PASS


def test_the_rules_mode_decides_what_follows_and_a_verdict_ends() -> None:
    assert decide(enforcer_of(flagged("93.184.216.34"), RuleMode.MONITOR), "93.184.216.1")[0] is GuardAction.MONITOR
    assert decide(enforcer_of(flagged("93.184.216.34"), RuleMode.OFF), "93.184.216.1")[0] is GuardAction.PASS
    assert decide(enforcer_of(flagged("93.184.216.34", NOW_S - 1)), "93.184.216.1")[0] is GuardAction.PASS


def test_an_app_that_reports_no_conversions_is_only_monitored() -> None:
    snapshot = flagged("93.184.216.34")
    enforcer = enforcer_of(GuardSnapshot(NOW_S, addresses=snapshot.addresses))
    assert decide(enforcer, "93.184.216.1")[0] is GuardAction.MONITOR


def test_forty_messages_pass_from_an_address_before_a_snapshot_knows_it() -> None:
    enforcer = enforcer_of(GuardSnapshot(NOW_S, reporting_apps=frozenset({(1, "app")})))
    actions = [decide(enforcer, "2606:4700:1:2::1")[0] for _ in range(45)]
    assert actions == [GuardAction.PASS] * 40 + [GuardAction.BLOCK] * 5
    assert decide(enforcer, "2606:4700:1:2::2")[2] is ReasonCode.GUARD_ADDRESS_BURST, "a host has a whole /64"
