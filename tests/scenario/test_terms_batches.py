"""Batches of submissions with terms, some of accounts without money: each is decided as if it came alone."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from homing import errors
from homing.accounts.profile import Profile
from homing.dialects.laaffic.number import NUMBER as LAAFFIC
from homing.intake.commit import LeftOut
from homing.intake.intake import Intake, SubmitOutcome, utc_now
from homing.intake.prepare import PreparedSubmission
from homing.intake.submission import Submission
from homing.intake.terms import AnswerOnce, CodeSend, EarlierAnswer, SubmissionTerms
from homing.store.database import DatabaseConnection
from homing.store.embedded.location import MEMORY_NAME
from homing.store.statements.intake import NewMessageCode
from homing.store.submissions import PLACE_KEY, Payment
from tests.support.bank import Bank, group, opened
from tests.support.server import migrated_database
from tests.support.waiting import until

PRICE_MICRO = 31_000
NUMBER = "860000000"
"""Of the first message of each submission."""


@pytest.fixture(scope="module")
async def bank(postgres: str, worker: str) -> AsyncIterator[Bank]:
    async with opened(await migrated_database(postgres, f"terms_{worker}"), 2) as bank:
        yield bank


def limited(most: int) -> SubmissionTerms:
    """A code to a number that gets so many a minute."""
    code = NewMessageCode(
        code_text="##code##",
        template_id=None,
        flow_id=None,
        code_hash=b"hash",
        code_sealed=b"sealed",
        code_expires_at=utc_now() + timedelta(minutes=5),
        step_due_at=None,
        resend_of=None,
        bounds=None,
        ahead=None,
    )
    return SubmissionTerms(code=CodeSend(bounds=((60, most),), new=code))


def once(key: str) -> SubmissionTerms:
    return SubmissionTerms(
        once=AnswerOnce(scope="t", key=key, digest=b"", answer=lambda each: b"%d" % each.messages[0].message_id)
    )


def prepared(
    intake: Intake,
    account: Profile,
    messages: int = 1,
    terms: SubmissionTerms | None = None,
    segments: int = 1,
) -> PreparedSubmission:
    quoted = intake.quote(Submission(account, LAAFFIC, account.name, "r", [group("86", messages, segments)]))
    return quoted if terms is None else msgspec.structs.replace(quoted, terms=terms)


async def decided(intake: Intake, batch: Sequence[PreparedSubmission]) -> list[object]:
    """What each was answered: None, the class of its error, or the earlier answer."""
    outcomes: list[SubmitOutcome] = await intake._commit(batch)
    return [
        each if each is None else each.answer if isinstance(each, EarlierAnswer) else type(each) for each in outcomes
    ]


async def stored(bank: Bank, *accounts: Profile) -> int:
    (row,) = await bank.query(
        "SELECT count(*) AS n FROM message WHERE account_id = ANY ($1)", [each.account_id for each in accounts]
    )
    return int(row["n"])


class Interrupted:
    """An intake's rounds, with something done by others after the first."""

    def __init__(self, intake: Intake, meanwhile: Callable[[], Awaitable[None]]) -> None:
        self._submit = intake._submit
        self._meanwhile = meanwhile
        self.rounds = 0

    async def __call__(self, batch: Sequence[PreparedSubmission]) -> tuple[Mapping[int, Payment], LeftOut]:
        answer = await self._submit(batch)
        self.rounds += 1
        if self.rounds == 1:
            await self._meanwhile()
        return answer


async def test_a_limit_that_others_use_up_between_two_rounds_leaves_no_submission_undecided(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    rich, poor = await bank.account(balance=10 * PRICE_MICRO), await bank.account(balance=PRICE_MICRO)
    mine, other = bank.intakes

    async def meanwhile() -> None:
        assert await decided(other, [prepared(other, rich)]) == [None]
        async with bank.plain.connection() as connection:
            await send_elsewhere(connection, poor, 1)

    rounds = Interrupted(mine, meanwhile)
    monkeypatch.setattr(mine, "_submit", rounds)
    batch = [
        prepared(mine, rich),
        prepared(mine, poor, terms=limited(1)),
        prepared(mine, poor, 2),
        prepared(mine, poor),
    ]
    assert await decided(mine, batch) == [None, errors.NumberLimitReached, errors.InsufficientBalance, None]
    assert await stored(bank, rich, poor) == 3
    assert (await bank.purse(poor)).balance == 0
    assert (await bank.prove(poor)).holds


async def overtaken(bank: Bank, account: Profile, batch: Sequence[PreparedSubmission], nth: int) -> list[object]:
    """As `decided`, of a batch that has looked for the number's codes and waits for the balance, while another process
    sends the number its `nth`.
    """
    waiting = (
        "SELECT count(*) AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    async with bank.plain.transaction() as other:
        await other.raw.execute("SELECT FROM balance WHERE account_id = $1 FOR UPDATE", account.account_id)
        deciding = asyncio.create_task(decided(bank.intakes[0], batch))
        await until(lambda: bank.query(waiting), lambda rows: rows[0]["n"] > 0)
        await send_elsewhere(other, account, nth)
    return await deciding


async def send_elsewhere(connection: DatabaseConnection, account: Profile, nth: int) -> None:
    """What another process stores of a code to the number, the `nth` within a moment."""
    await connection.raw.execute(
        "INSERT INTO verification (account_id, verification_id, dialect, app_id, number, raw_number, sender, text,"
        " code_hash, attempts_max, latest_id, created_at, expires_at, nth, sent_times)"
        " VALUES ($1, 1, 2, $2, $3, $3, '', '', '', 5, 1, now(), now(), $4::int,"
        " array_fill((extract(epoch FROM now()) * 1000)::bigint, ARRAY[$4::int]))",
        account.account_id,
        account.name,
        NUMBER,
        nth,
    )


@pytest.mark.parametrize("is_begun", [False, True])
@pytest.mark.parametrize(("most", "refused"), [(3, []), (2, [errors.NumberLimitReached])])
async def test_a_limit_that_another_process_uses_between_reading_and_storing_is_kept(
    bank: Bank, most: int, refused: list[object], is_begun: bool
) -> None:
    account, mine = await bank.account(balance=10 * PRICE_MICRO), bank.intakes[0]
    if is_begun:
        most += 1
        assert await decided(mine, [prepared(mine, account, terms=limited(most))]) == [None]
    batch = [prepared(mine, account, terms=limited(most)) for _ in range(2)]
    outcomes = await overtaken(bank, account, [*batch, prepared(mine, account)], 1 + is_begun)
    assert outcomes == [None, *(refused or [None]), None]
    rows = await bank.query(
        "SELECT nth, cardinality(sent_times) FROM verification WHERE account_id = $1 ORDER BY nth", account.account_id
    )
    assert [tuple(row) for row in rows] == [(nth, nth) for nth in range(1, most + 1)]
    assert await stored(bank, account) == most
    assert (await bank.prove(account)).holds


async def test_the_database_logs_no_number_whose_code_another_process_sent_first(bank: Bank, room: Path) -> None:
    account, mine = await bank.account(balance=10 * PRICE_MICRO), bank.intakes[0]
    data = room / "postgres"
    log = data / (data / MEMORY_NAME).read_text().strip() / "server.log"

    def lines() -> list[str]:
        files = [each for each in (log.with_name("server.log.1"), log) if each.exists()]
        return [line for file in files for line in file.read_text(errors="replace").splitlines()]

    before = sum(PLACE_KEY in line for line in lines())
    assert await overtaken(bank, account, [prepared(mine, account, terms=limited(5))], 1) == [None]
    await until(lambda: sum(PLACE_KEY in line for line in lines()), lambda after: after > before)
    assert [line for line in lines() if NUMBER in line] == []


async def test_what_cannot_be_paid_for_takes_no_limit_from_what_comes_with_it(bank: Bank) -> None:
    account = await bank.account(balance=PRICE_MICRO)
    mine = bank.intakes[0]
    batch = [prepared(mine, account, terms=limited(1), segments=2), prepared(mine, account, 1, limited(1))]
    assert await decided(mine, batch) == [errors.InsufficientBalance, None]
    assert await decided(mine, [prepared(mine, account, 1, limited(1))]) == [errors.NumberLimitReached]
    assert await stored(bank, account) == 1


async def test_of_repeated_calls_the_one_that_can_be_paid_for_is_done(bank: Bank) -> None:
    account = await bank.account(balance=PRICE_MICRO)
    mine = bank.intakes[0]
    batch = [prepared(mine, account, 2, once("k")), *(prepared(mine, account, 1, once("k")) for _ in range(3))]
    first = b"%d" % batch[1].messages[0].message_id
    assert await decided(mine, batch) == [errors.InsufficientBalance, None, first, first]
    assert await stored(bank, account) == 1


async def test_a_failure_after_the_first_round_fails_only_what_is_undecided(bank: Bank) -> None:
    def answer(_prepared: PreparedSubmission) -> bytes:
        raise ArithmeticError

    account = await bank.account(balance=10 * PRICE_MICRO)
    mine = bank.intakes[0]
    broken = SubmissionTerms(once=AnswerOnce(scope="t", key="k", digest=b"", answer=answer))
    batch = [
        prepared(mine, account),
        prepared(mine, account, 9, once("k")),
        prepared(mine, account, 2),
        prepared(mine, account, 1, broken),
    ]
    assert await decided(mine, batch) == [None, None, errors.InsufficientBalance, errors.DatabaseFailed]


@pytest.mark.parametrize("key", ["\0", "\ud800"])
async def test_a_key_that_the_database_refuses_fails_alone(bank: Bank, key: str) -> None:
    account = await bank.account(balance=10 * PRICE_MICRO)
    commits = bank.intakes[0]._commits
    batch = [prepared(bank.intakes[0], account, 1, once(each)) for each in ("a", key, "b")]
    outcomes = await asyncio.gather(*(commits.put(each) for each in batch), return_exceptions=True)
    assert [type(each) for each in outcomes] == [type(None), errors.DatabaseFailed, type(None)]
    assert await stored(bank, account) == 2


async def test_codes_to_a_number_are_decided_as_if_each_came_alone(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    """In batches of any size, within two kinds of limits, with and without what needs a lock; by two processes."""
    account, rng = await bank.account(balance=1_000 * PRICE_MICRO), random.Random(3)
    kinds = (((60, 2), (600, 3)), ((60, 3), (600, 6)))
    now, sent = utc_now(), list[datetime]()
    for intake in bank.intakes:
        monkeypatch.setattr(intake, "_clock", lambda: now)
    for round_ in range(60):
        now += timedelta(seconds=rng.choice((1, 20, 59, 60, 61, 300)))
        intake, batch, expected = bank.intakes[round_ % 2], list[PreparedSubmission](), list[object]()
        for place in range(rng.randint(1, 5)):
            bounds, terms = rng.choice(kinds), limited(1)
            assert terms.code is not None
            key = None if rng.random() < 0.8 else once(f"{round_} {place}").once
            code = msgspec.structs.replace(terms.code, bounds=bounds)
            batch.append(prepared(intake, account, terms=msgspec.structs.replace(terms, code=code, once=key)))
            within = [sum(at > now - timedelta(seconds=period_s) for at in sent) for period_s, _most in bounds]
            is_full = any(used >= most for used, (_period_s, most) in zip(within, bounds, strict=True))
            expected.append(errors.NumberLimitReached if is_full else None)
            if not is_full:
                sent.append(now)
        assert await decided(intake, batch) == expected, round_
    assert await stored(bank, account) == len(sent)
