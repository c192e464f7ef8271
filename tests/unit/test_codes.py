"""Codes: how they are hashed, and that each is as likely as any other."""

import hashlib
import hmac
from collections import Counter

from homing.common.crypto import Vault
from homing.model import CodeAlphabet
from homing.verification.codes import ALPHABETS, CodeKeeper, make_code

DRAWS = 6_000


def test_a_code_is_hashed_with_its_message_under_the_derived_key() -> None:
    vault = Vault(bytes(32))
    key = vault.derive("hashes of verification codes")
    keeper = CodeKeeper(vault)
    for _ in range(2):
        assert keeper.hash(7, " ab12 ") == hmac.digest(key, b"7:ab12", hashlib.sha256)
    assert keeper.hash(8, "AB12") != keeper.hash(7, "AB12") == keeper.hash(7, "ab12")


def test_each_place_of_a_code_has_each_character_as_often() -> None:
    for alphabet in CodeAlphabet:
        characters = ALPHABETS[alphabet]
        codes = [make_code(alphabet, 4) for _ in range(DRAWS)]
        for place in range(4):
            drawn = Counter(code[place] for code in codes)
            expected = DRAWS / len(characters)
            assert set(drawn) == set(characters)
            assert all(abs(count - expected) < 7 * expected**0.5 for count in drawn.values())
