"""`homing verify`."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import click

from homing import errors
from homing.cli.context import CommandContext, CommandGroup, in_context
from homing.cli.exit_status import status_of_check
from homing.cli.following import follow, note_of, status_of, wait_option
from homing.cli.parameters import NUMBER
from homing.cli.send import quoted
from homing.cli.sending import REQUEST, account_sender, dry_run_option, reference_option, refusals_worded
from homing.cli.show import COUNT, MONEY, TIME, YES, Column, Detail, Reply, enum_kind
from homing.cli.verification import VerificationIdType
from homing.intake.submission import MessageGroup, Submission
from homing.model import CODE_MARK, CheckOutcome, CodeTemplate, Recipient
from homing.states import MessageState
from homing.verification.search import read_shown_story
from homing.verification.service import DEFAULT_CODE_CHARS, DEFAULT_TEXT, NUMBER_LIMITS, NewCode

SENT: Final = (
    Column("verification_id", "Verification", COUNT),
    Column("number", "Number"),
    Column("is_test", "Test number", YES),
    Column("expires_at", "Expires (UTC)", TIME),
    Column("segments", "Segments", COUNT),
    Column("charge_micro", "Charged", MONEY),
    Column("state", "State", enum_kind(MessageState)),
)
CHECKED: Final = (
    Column("verification_id", "Verification", COUNT),
    Column("result", "Result"),
    Column("attempts_left", "Attempts left", COUNT),
    Column("expires_at", "Expires (UTC)", TIME),
    Column("ended_at", "Ended (UTC)", TIME),
)
RESULTS: Final[Mapping[CheckOutcome, str]] = {
    CheckOutcome.VERIFIED: "verified",
    CheckOutcome.WRONG: "wrong",
    CheckOutcome.EXPIRED: "expired",
    CheckOutcome.TOO_MANY_ATTEMPTS: "failed",
    CheckOutcome.ALREADY_VERIFIED: "already verified",
    CheckOutcome.CANCELLED: "cancelled",
}


@click.group(cls=CommandGroup)
def verify() -> None:
    """Send a verification code as an account, and check what was entered.

    \b
    Example:  homing verify send demo +8613800139999
              homing verify check 231541870592001 123456
    """


@verify.command("send")
@click.argument("account")
@click.argument("number", type=NUMBER)
@click.option("--app", metavar="ID", help="Whose expiry and limits hold; the template's, else the first, if not given.")
@click.option("--template", metavar="NAME", help="A code template of the account; a plain text if not given.")
@click.option("--language", metavar="TAG", default="", help="The template's language, such as zh-Hans.")
@click.option("--from", "sender", metavar="SENDER", help="A registered sender ID.")
@reference_option
@dry_run_option
@wait_option
@in_context
async def send(
    context: CommandContext,
    account: str,
    number: str,
    app: str | None,
    template: str | None,
    language: str,
    sender: str | None,
    reference: str | None,
    dry_run: bool,
    wait_s: int | None,
) -> Reply:
    """Send a verification code as an account.

    Homing makes the code; no command shows it. The account's limits hold. To a test number nothing is sent.

    \b
    Example:  homing verify send demo +8613800130001 --wait 30
              homing verify send acme +8613800130001 --template sign-in --language zh-Hans
    """
    async with account_sender(context, account, app) as sending:
        chosen = None if template is None else _template(sending.account.code_template(template, language), template)
        own_app = sending.app
        if app is None and chosen is not None and chosen.app_id in sending.account.apps:
            own_app = sending.account.apps[chosen.app_id]
        if own_app is None:
            raise errors.InvalidInput(f"account {account} has no app; `homing app create {account} NAME` creates one")
        recipient = Recipient(number, number, reference)
        own_sender = "" if sender is None else sending.sender(sender)
        if dry_run:
            text = (DEFAULT_TEXT if chosen is None else chosen.text).replace(
                CODE_MARK, "*" * (DEFAULT_CODE_CHARS if chosen is None else chosen.length)
            )
            shown = own_sender or (chosen.sender if chosen else "") or sending.account.default_sender or ""
            submission = Submission(
                account=sending.account,
                dialect=sending.dialect,
                app_id=own_app.app_id,
                request_id=REQUEST,
                groups=[MessageGroup(text, shown, [recipient])],
            )
            with refusals_worded():
                return quoted(sending.intake.quote(submission).messages[0])
        with refusals_worded():
            sent = await sending.verifications.send(
                NewCode(
                    account=sending.account,
                    dialect=sending.dialect,
                    app=own_app,
                    recipient=recipient,
                    request_id=REQUEST,
                    template=chosen,
                    sender=own_sender,
                    number_limits=NUMBER_LIMITS,
                )
            )
        common = {"verification_id": sent.verification_id, "number": number, "expires_at": sent.expires_at}
        if not sent.prepared.messages:
            return Detail(SENT, {**common, "is_test": True, "segments": 0, "charge_micro": 0, "state": None})
        row = await follow(context.database, sending.account.account_id, sent.message_id, wait_s)
        values = {"is_test": False, "segments": row.segments, "charge_micro": row.charge_micro, "state": row.state}
        return Detail(SENT, {**common, **values}, note=note_of(row, wait_s), status=status_of(row, wait_s))


@verify.command("check")
@click.argument("message_id", metavar="ID", type=VerificationIdType())
@click.argument("code")
@in_context
async def check(context: CommandContext, message_id: int, code: str) -> Reply:
    """Check a code that was entered.

    The exit status is 0 if it is right, 3 if it is wrong, 4 if the verification is over. It counts like a check by an
    API: the first right one is the verification's conversion, and five wrong ones end it.

    \b
    Example:  homing verify check 231541870592001 123456
    """
    story = await read_shown_story(context.database, message_id, now=datetime.now(UTC))
    if story is None:
        raise errors.InvalidInput(
            f"message {message_id} belongs to no verification; `homing verification list` lists the latest"
        )
    account_id = story.verification.account_id
    async with account_sender(context, str(account_id), None) as sending:
        checked = await sending.verifications.check(account_id, message_id, code, sending.dialect)
    row: dict[str, Any] = {
        "verification_id": checked.verification_id,
        "result": RESULTS[checked.outcome],
        "attempts_left": checked.attempts_left,
        "expires_at": checked.expires_at,
        "ended_at": checked.ended_at,
    }
    return Detail(CHECKED, row, status=status_of_check(checked.outcome, checked.attempts_left))


def _template(template: CodeTemplate | None, name: str) -> CodeTemplate:
    if template is None:
        raise errors.InvalidInput(f"the account has no code template {name}; `homing code-template list` lists them")
    return template
