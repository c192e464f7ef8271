"""The small parts: buckets, waits, secrets, spreading."""

import asyncio
import random
import stat
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing import limits
from homing.common import crypto
from homing.common.backoff import doubling_s, scheduled_s
from homing.common.csv_cells import plain_cell
from homing.common.mixing import mix64
from homing.common.slots import NoFreeSlot, Slots
from homing.common.storable_text import storable_text
from homing.common.token_bucket import TokenBucket, TokenBuckets
from homing.dialects.laaffic.signature import signature_of

# --- buckets ---------------------------------------------------------------------------------------------


def test_a_bucket_gives_its_burst_at_once_and_then_its_rate() -> None:
    bucket = TokenBucket(10.0, 20.0, now_s=0.0)
    assert sum(bucket.take(0.0) for _ in range(50)) == 20
    taken = sum(bucket.take(at / 100) for at in range(1, 1001))  # ten seconds, a hundred times a second
    assert 99 <= taken <= 100


def test_a_bucket_holds_no_more_than_its_burst_however_long_it_rests() -> None:
    bucket = TokenBucket(5.0, 8.0, now_s=0.0)
    assert sum(bucket.take(1_000_000.0) for _ in range(50)) == 8


def test_what_is_owed_is_gained_before_anything_is_given() -> None:
    bucket = TokenBucket(10.0, 20.0, now_s=0.0)
    bucket.owe(50.0)
    assert not bucket.take(3.0)
    assert bucket.take(3.1)
    assert not bucket.take(3.1)


def test_each_key_has_a_bucket_of_its_own() -> None:
    buckets: TokenBuckets[str] = TokenBuckets(10)
    assert buckets.bucket("a", 1.0, 1.0, 0.0).take(0.0)
    assert not buckets.bucket("a", 1.0, 1.0, 0.0).take(0.0)
    assert buckets.bucket("b", 1.0, 1.0, 0.0).take(0.0)


@pytest.mark.parametrize(("rate_per_s", "burst"), [(2.0, 1.0), (1.0, 2.0)])
def test_a_key_with_another_rate_or_burst_begins_anew(rate_per_s: float, burst: float) -> None:
    buckets: TokenBuckets[str] = TokenBuckets(10)
    assert buckets.bucket("a", 1.0, 1.0, 0.0).take(0.0)
    assert buckets.bucket("a", rate_per_s, burst, 0.0).take(0.0)


def test_the_oldest_key_goes_where_there_are_too_many() -> None:
    buckets: TokenBuckets[str] = TokenBuckets(2)
    for key in ("a", "b", "c"):
        assert buckets.bucket(key, 0.001, 1.0, 0.0).take(0.0)
    assert len(buckets) == 2
    assert not buckets.bucket("b", 0.001, 1.0, 0.0).take(0.0)
    assert not buckets.bucket("c", 0.001, 1.0, 0.0).take(0.0)
    assert buckets.bucket("a", 0.001, 1.0, 0.0).take(0.0)


# --- places ----------------------------------------------------------------------------------------------


async def test_an_owner_has_one_place_and_leaves_the_others_to_others() -> None:
    places = Slots(2, wait_s=0.05)
    async with places.take("a"):
        with pytest.raises(NoFreeSlot):
            async with places.take("a"):
                pass
        async with places.take("b"):
            with pytest.raises(NoFreeSlot):
                async with places.take("c"):
                    pass
        async with places.take("c"):
            pass


async def test_who_waits_has_the_place_as_soon_as_it_is_free() -> None:
    places = Slots(1, wait_s=30.0)
    order: list[int] = []

    async def work(number: int) -> None:
        async with places.take("a"):
            order.append(number)
            await asyncio.sleep(0)

    await asyncio.gather(*map(work, range(20)))
    assert sorted(order) == list(range(20))


# --- cells of CSV files ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@a", "＝1", "＋1", "－1", "＠a", "\t=1", "\r=1", "\n=1", "\x01=1", "\u200b=1"]
)
def test_a_cell_that_a_spreadsheet_would_compute_is_shown_as_text(text: str) -> None:
    assert plain_cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "a=1", "1-1", "退款", " x"])
def test_any_other_cell_stays_as_it_is(text: str) -> None:
    assert plain_cell(text) == text


def test_a_refused_take_costs_nothing() -> None:
    bucket = TokenBucket(1.0, 3.0, now_s=0.0)
    assert not bucket.take(0.0, 4.0)
    assert bucket.take(0.0, 3.0)
    assert not bucket.take(0.5, 1.0)
    assert bucket.take(1.0, 1.0)


def test_a_clock_that_steps_back_gives_no_tokens() -> None:
    bucket = TokenBucket(1.0, 1.0, now_s=100.0)
    assert bucket.take(100.0)
    assert not bucket.take(50.0)
    assert not bucket.take(100.5)
    assert bucket.take(101.0)


# --- waits -----------------------------------------------------------------------------------------------


@given(st.integers(1, 10_000), st.integers())
def test_doubling_waits_grow_to_the_longest_and_stay_within_a_fifth(failures: int, seed: int) -> None:
    exact = min(300.0, 5.0 * 2.0 ** (failures - 1)) if failures < 40 else 300.0
    assert 0.8 * exact <= doubling_s(failures, 5.0, 300.0, random.Random(seed)) <= 1.2 * exact


def test_waits_after_the_same_failure_differ() -> None:
    chance = random.Random(1)
    assert len({doubling_s(3, 5.0, 300.0, chance) for _ in range(50)}) > 40


def test_scheduled_waits_follow_the_schedule_and_end() -> None:
    chance = random.Random(1)
    for failures, wait_s in enumerate(limits.PUSH_WAITS_S, 1):
        found = scheduled_s(failures, limits.PUSH_WAITS_S, chance)
        assert found is not None
        assert wait_s <= found <= 1.1 * wait_s
    assert scheduled_s(len(limits.PUSH_WAITS_S) + 1, limits.PUSH_WAITS_S, chance) is None


# --- secrets ---------------------------------------------------------------------------------------------


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_sealed_secret_opens_to_itself_and_never_looks_the_same(secret: str) -> None:
    vault = crypto.Vault(b"k" * 32)
    sealed = vault.seal(secret)
    assert vault.open(sealed) == secret
    assert sealed != vault.seal(secret)
    assert len(secret) < 4 or secret.encode() not in sealed


def test_another_key_does_not_open_it() -> None:
    sealed = crypto.Vault(b"k" * 32).seal("secret")
    with pytest.raises(ValueError, match="another key"):
        crypto.Vault(b"l" * 32).open(sealed)


@pytest.mark.parametrize("at", [0, 11, 12, -1])
def test_a_changed_byte_anywhere_is_noticed(at: int) -> None:
    vault = crypto.Vault(b"k" * 32)
    sealed = bytearray(vault.seal("secret"))
    sealed[at] ^= 1
    with pytest.raises(ValueError):
        vault.open(bytes(sealed))


@pytest.mark.parametrize("sealed", [b"", b"short", bytes(12), bytes(27)])
def test_a_stump_is_refused_as_a_value_error(sealed: bytes) -> None:
    with pytest.raises(ValueError):
        crypto.Vault(b"k" * 32).open(sealed)


def test_the_key_file_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "secret.key"
    key = crypto.load_key("", file)
    assert len(key) == 32
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert crypto.load_key("", file) == key
    assert crypto.load_key("", tmp_path / "other.key") != key


def test_the_environments_key_stands_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "secret.key"
    assert crypto.load_key("a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=", file) == b"k" * 32
    assert not file.exists()


@pytest.mark.parametrize("text", ["c2hvcnQ=", "not base64 at all", "é", "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tr"])
def test_an_environment_key_of_another_size_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        crypto.load_key(text, tmp_path / "secret.key")


@pytest.mark.parametrize("content", [b"", b"c2hvcnQ=", b"\xff\xfe"])
def test_a_key_file_that_holds_no_key_is_refused_and_left_alone(content: bytes, tmp_path: Path) -> None:
    """As after a crash between making and filling it: a vault with another key would lock every secret in."""
    file = tmp_path / "secret.key"
    file.write_bytes(content)
    with pytest.raises(ValueError):
        crypto.load_key("", file)
    assert file.read_bytes() == content


def test_made_up_secrets_are_letters_and_digits_and_differ() -> None:
    made = {crypto.make_secret(12) for _ in range(200)}
    assert len(made) == 200
    assert all(len(one) == 12 and one.isascii() and one.isalnum() for one in made)


def test_the_laaffic_signature_is_md5_of_key_secret_and_time() -> None:
    """The figures come from `printf bDqJFiq97bz1lzh91630468800 | md5sum`."""
    assert signature_of("bDqJFiq9", "7bz1lzh9", "1630468800") == "05d7a50893e22a5c4bb3216ae3396c7c"


def test_secrets_compare_by_value_whatever_characters_they_hold() -> None:
    assert crypto.same("päss\ud83d", "päss\ud83d")
    assert not crypto.same("päss", "pass")
    assert not crypto.same("", "x")


# --- spreading -------------------------------------------------------------------------------------------


def test_neighbours_spread_evenly_over_any_small_number() -> None:
    for ways in (2, 3, 7, 10):
        counts = Counter(mix64(n) % ways for n in range(70_000))
        assert all(abs(count - 70_000 / ways) < 6 * (70_000 / ways) ** 0.5 for count in counts.values())


@given(st.integers(0, 2**64 - 1))
def test_spreading_is_a_fixed_64_bit_permutation(value: int) -> None:
    assert 0 <= mix64(value) < 2**64
    assert mix64(value) == mix64(value)
    assert mix64(value) != mix64(value ^ 1)


@pytest.mark.parametrize(
    ("text", "kept"), [("plain", "plain"), ("a\0b", "ab"), ("half \ud83d", "half ?"), ("longer than five", "longe")]
)
def test_text_from_outside_is_kept_as_the_database_takes_it(text: str, kept: str) -> None:
    assert storable_text(text, 5 if text.startswith("longer") else None) == kept
