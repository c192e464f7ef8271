"""Each dialect's tables leave no state and no refusal out."""

from collections.abc import Iterator

import pytest

from homing import errors
from homing.api.http.bearer import KEYS_DIALECT
from homing.dialects.base import CredentialFormat, Dialect, Dialects
from homing.dialects.camara.endpoints import SCOPE
from homing.dialects.error_codes import ErrorCodes
from homing.dialects.laaffic.codes import FAILURE_REASONS, ROW_STATUSES
from homing.dialects.laaffic.otp_codes import OTP_CODES
from homing.dialects.lia.dialect import LiaDialect
from homing.dialects.lia.words import STATE_WORDS
from homing.dialects.registry import DIALECTS
from homing.states import FINAL_STATES, MessageState


def kinds(base: type[errors.HomingError]) -> Iterator[type[errors.HomingError]]:
    for kind in base.__subclasses__():
        yield kind
        yield from kinds(kind)


@pytest.mark.parametrize("dialect", list(DIALECTS), ids=lambda dialect: dialect.name)
def test_every_refusal_and_failure_of_the_core_has_a_code(dialect: Dialect) -> None:
    core = {kind for kind in kinds(errors.HomingError) if kind.__module__ == errors.__name__}
    assert core - {errors.InvalidInput} - set(dialect.error_codes) == set()


@pytest.mark.parametrize("dialect", list(DIALECTS), ids=lambda dialect: dialect.name)
def test_every_state_has_a_word_or_is_said_to_have_none(dialect: Dialect) -> None:
    assert set(dialect.states) == set(MessageState)


@pytest.mark.parametrize(
    "credentials", [each for _dialect, each in DIALECTS.credential_formats], ids=lambda each: each.key_name
)
def test_a_key_that_is_made_fits_the_dialect_and_is_another_each_time(credentials: CredentialFormat) -> None:
    keys = {credentials.make_key() for _ in range(100)}
    assert len(keys) == 100
    assert max(map(len, keys)) <= credentials.key_chars_max


def test_a_dialect_without_credentials_is_opened_by_the_keys_of_homings_own_api() -> None:
    own = DIALECTS.named("v1")
    assert own.number == KEYS_DIALECT
    assert own.credentials is not None
    assert SCOPE in own.credentials.scopes
    assert [dialect.name for dialect in DIALECTS if dialect.credentials is None] == ["camara"]


def test_numbers_and_names_are_these_for_good() -> None:
    assert {dialect.number: dialect.name for dialect in DIALECTS} == {
        1: "lia",
        2: "laaffic",
        3: "v1",
        4: "smpp",
        5: "camara",
        6: "hooks",
    }


def test_two_dialects_cannot_share_a_number_or_a_name() -> None:
    class Again(LiaDialect):
        """Another with lia's number."""

        name = "again"

    with pytest.raises(ValueError, match="share"):
        Dialects((LiaDialect(), Again()))


def test_a_row_that_outlives_its_dialect_is_still_told() -> None:
    assert (DIALECTS.name_of(99), DIALECTS.title_of(99)) == ("99", "99")


def test_a_kind_without_an_entry_has_the_code_of_its_nearest_base() -> None:
    class Further(errors.NationalNumber):
        """A kind that no table knows."""

    table = ErrorCodes({errors.HomingError: 1, errors.NumbersAbnormal: 2})
    assert [table.of(kind) for kind in (Further, errors.NumbersAbnormal, errors.NoRoute)] == [2, 2, 1]


def test_a_table_without_a_last_resort_is_refused() -> None:
    with pytest.raises(ValueError, match="HomingError"):
        ErrorCodes({errors.Refusal: 1})


def test_the_states_words_are_the_contracts() -> None:
    assert set(ROW_STATUSES) == set(STATE_WORDS) == set(MessageState)
    assert set(ROW_STATUSES.values()) == {None, "-1", "0", "1"}
    ends = {MessageState(state) for state in FINAL_STATES}
    assert [state for state in MessageState if ROW_STATUSES[state] == "0"] == [MessageState.DELIVERED]
    assert {state for state in MessageState if ROW_STATUSES[state] == "1"} == ends - {MessageState.DELIVERED}
    assert set(FAILURE_REASONS) == ends - {MessageState.DELIVERED}
    assert len(set(STATE_WORDS.values())) == len(MessageState)


def test_laaffics_codes_of_verification_codes_are_the_contracts() -> None:
    special = {
        errors.NoRoute: "-26",
        errors.DestinationBlocked: "-26",
        errors.SensitiveWords: "-29",
        errors.AppLimitReached: "-27",
        errors.QuotaReached: "-27",
        errors.NumberLimitReached: "-28",
        errors.InsufficientBalance: "-10",
        errors.UnknownApp: "-1",
        errors.BadShape: "-22",
        errors.NationalNumber: "-22",
        errors.DatabaseUnavailable: "-18",
        errors.Overloaded: "-18",
    }
    assert {kind: OTP_CODES.of(kind) for kind in special} == special
    assert not {OTP_CODES.of(kind) for kind in OTP_CODES} & {"-3", "-4", "-5", "-6", "-9", "-17", "-19"}
