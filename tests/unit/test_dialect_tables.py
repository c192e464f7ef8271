"""Each dialect's tables leave no state and no refusal out."""

from collections.abc import Iterator

import pytest

from homing import errors
from homing.dialects.error_codes import ErrorCodes
from homing.dialects.laaffic.codes import CODES, FAILURE_REASONS, ROW_STATUSES
from homing.dialects.lia.words import REMARKS, STATE_WORDS
from homing.states import FINAL_STATES, State

TABLES = {"lia": REMARKS, "laaffic": CODES}


def kinds(base: type[errors.HomingError]) -> Iterator[type[errors.HomingError]]:
    for kind in base.__subclasses__():
        yield kind
        yield from kinds(kind)


@pytest.mark.parametrize("dialect", TABLES)
def test_every_refusal_and_failure_of_the_core_has_a_code(dialect: str) -> None:
    core = {kind for kind in kinds(errors.HomingError) if kind.__module__ == errors.__name__}
    assert core - {errors.OperatorError} - set(TABLES[dialect]) == set()


def test_a_kind_without_an_entry_has_the_code_of_its_nearest_base() -> None:
    class Further(errors.NationalNumber):
        """A kind that no table knows."""

    table = ErrorCodes({errors.HomingError: 1, errors.NumbersAbnormal: 2})
    assert [table.of(kind) for kind in (Further, errors.NumbersAbnormal, errors.NoRoute)] == [2, 2, 1]


def test_a_table_without_a_last_resort_is_refused() -> None:
    with pytest.raises(ValueError, match="HomingError"):
        ErrorCodes({errors.Refusal: 1})


def test_each_state_has_its_words_in_both_dialects() -> None:
    assert set(ROW_STATUSES) == set(STATE_WORDS) == set(State)
    assert set(ROW_STATUSES.values()) == {None, "-1", "0", "1"}
    ends = {State(state) for state in FINAL_STATES}
    assert [state for state in State if ROW_STATUSES[state] == "0"] == [State.DELIVERED]
    assert {state for state in State if ROW_STATUSES[state] == "1"} == ends - {State.DELIVERED}
    assert set(FAILURE_REASONS) == ends - {State.DELIVERED}
    assert len(set(STATE_WORDS.values())) == len(State)
