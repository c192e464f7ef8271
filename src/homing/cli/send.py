"""`homing send`."""

from typing import Final

import click
import msgspec

from homing import errors
from homing.cli.context import CommandContext, in_context
from homing.cli.following import follow, note_of, status_of, wait_option
from homing.cli.parameters import NUMBER
from homing.cli.sending import REQUEST, AccountSender, account_sender, dry_run_option, reference_option, refusals_worded
from homing.cli.show import COUNT, MONEY, PROSE, REASON, TIME, Column, ColumnKind, Detail, Reply, enum_kind
from homing.intake.submission import MessageGroup, Submission
from homing.model import Recipient
from homing.states import MessageState
from homing.store.statements.intake import NewMessage
from homing.store.statements.messages import MessageRow
from homing.text.segments import TextEncoding

COMMON: Final = (
    Column("number", "Number"),
    Column("sender", "Sender ID", ColumnKind(absent="")),
    Column("text", "Text", PROSE),
    Column("encoding", "Encoding", enum_kind(TextEncoding)),
    Column("segments", "Segments", COUNT),
    Column("country", "Country"),
)
QUOTE: Final = (*COMMON, Column("cost_micro", "Price", MONEY))
MESSAGE: Final = (
    Column("message_id", "Message", COUNT),
    *COMMON,
    Column("reference", "Reference"),
    Column("charge_micro", "Charged", MONEY),
    Column("refund_micro", "Refunded", MONEY),
    Column("state", "State", enum_kind(MessageState)),
    Column("sent_at", "Sent (UTC)", TIME),
    Column("final_at", "Final (UTC)", TIME),
    Column("error_code", "Error code", ColumnKind(absent="")),
    Column("error_text", "Error", ColumnKind(absent="", wraps=True)),
    Column("reason", "Reason", msgspec.structs.replace(REASON, absent="")),
)


@click.command("send")
@click.argument("account")
@click.argument("number", type=NUMBER)
@click.argument("text")
@click.option("--app", metavar="ID", help="One of the account's apps; its first if not given.")
@click.option("--from", "sender", metavar="SENDER", help="A registered sender ID; the account's default if not given.")
@reference_option
@dry_run_option
@wait_option
@in_context
async def send(
    context: CommandContext,
    account: str,
    number: str,
    text: str,
    app: str | None,
    sender: str | None,
    reference: str | None,
    dry_run: bool,
    wait_s: int | None,
) -> Reply:
    """Send a message as an account.

    It is checked, priced, charged and routed as if the account had sent it by Homing's own API. Without a running
    `homing serve` it stays queued. ACCOUNT is a name or an ID.

    \b
    Example:  homing send demo +8613800130001 "Your table is ready" --dry-run
              homing send demo +8613800130001 "Your table is ready" --wait 30
    """
    if not text.strip():
        raise errors.InvalidInput("the text is empty")
    async with account_sender(context, account, app) as sending:
        group = MessageGroup(text, sending.sender(sender), [Recipient(number, number, reference)])
        submission = Submission(
            account=sending.account,
            dialect=sending.dialect,
            app_id="" if sending.app is None else sending.app.app_id,
            request_id=REQUEST,
            groups=[group],
        )
        with refusals_worded():
            if dry_run:
                return quoted(sending.intake.quote(submission).messages[0])
            prepared, outcome = sending.intake.begin_prepared(submission)
            if (error := await outcome) is not None:
                raise error
        return await followed(context, sending, prepared.messages[0].message_id, wait_s)


def quoted(message: NewMessage) -> Detail:
    row = {**msgspec.structs.asdict(message), "cost_micro": message.price_micro * message.segments}
    return Detail(QUOTE, row, note="A dry run: nothing was sent or charged.")


async def followed(context: CommandContext, sending: AccountSender, message_id: int, wait_s: int | None) -> Detail:
    row: MessageRow = await follow(context.database, sending.account.account_id, message_id, wait_s)
    return Detail(MESSAGE, row, note=note_of(row, wait_s), status=status_of(row, wait_s))
