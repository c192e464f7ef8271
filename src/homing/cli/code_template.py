"""`homing code-template`."""

from typing import Final

import click
import msgspec

from homing import errors
from homing.admin import code_settings
from homing.cli.context import CommandContext, CommandGroup, in_context
from homing.cli.parameters import ROW_ID, WholeNumberType
from homing.cli.show import COUNT, PROSE, Column, Confirmation, Reply, Table, enum_kind
from homing.model import CODE_MARK, CodeAlphabet, CodeTemplate
from homing.store import statements

ALPHABETS: Final = {alphabet.name.lower(): alphabet for alphabet in CodeAlphabet}
LENGTH: Final = WholeNumberType(*code_settings.CODE_CHARS)
TEMPLATES: Final = (
    Column("template_id", "ID", COUNT),
    Column("app_id", "App ID"),
    Column("name", "Name"),
    Column("locale", "Language"),
    Column("text", "Text", PROSE),
    Column("alphabet", "Alphabet", enum_kind(CodeAlphabet)),
    Column("length", "Length", COUNT),
    Column("sender", "Sender ID"),
)


@click.group("code-template", cls=CommandGroup)
def code_template() -> None:
    """A customer's texts for verification codes.

    ##code## stands for the code. Templates of one name in several languages are one text in those languages; the one
    without a language is for all others.

    \b
    Example:  homing code-template add acme shop sign-in "##code## is your Acme code"
              homing code-template add acme shop sign-in "您的验证码是 ##code##" --language zh-Hans
    """


@code_template.command("add")
@click.argument("account")
@click.argument("app")
@click.argument("name")
@click.argument("text")
@click.option("--language", default="", help="Language tag (BCP 47), such as zh-Hans.  [default: all others]")
@click.option("--length", type=LENGTH, default=6, show_default=True, help="Number of characters of a code.")
@click.option("--alphabet", type=click.Choice(list(ALPHABETS)), default="numeric", show_default=True)
@click.option("--sender", default="", help="Sender ID.  [default: the account's]")
@in_context
async def add(
    context: CommandContext, account: str, app: str, name: str, text: str, language: str, **more: str | int
) -> Reply:
    """Add a code template to an app (name or ID).

    \b
    Example:  homing code-template add acme shop sign-in "##code## is your Acme code" --length 4
    """
    row = await context.account(account)
    apps = await statements.admin.app_list(context.database, account_id=row.account_id)
    app_id = next((each.app_id for each in apps if app in (each.app_id, each.name)), None)
    if app_id is None:
        raise errors.InvalidInput(f"{row.name} has no app {app!r}; `homing app list {row.name}` lists its apps")
    template = CodeTemplate(
        template_id=0,
        app_id=app_id,
        name=name,
        locale=language,
        text=text,
        alphabet=ALPHABETS[str(more["alphabet"])],
        length=int(more["length"]),
        sender=str(more["sender"]),
    )
    async with context.database.transaction() as transaction:
        template_id = await code_settings.add_code_template(transaction, row.account_id, template)
    return Confirmation(
        f"Code template {name} of {row.name} added with ID {template_id}.", {"template_id": template_id, "name": name}
    )


@code_template.command("list")
@click.argument("account")
@in_context
async def list_code_templates(context: CommandContext, account: str) -> Reply:
    """List an account's code templates.

    \b
    Example:  homing code-template list acme
    """
    row = await context.account(account)
    return Table(
        TEMPLATES, await code_settings.list_code_templates(context.database, row.account_id), "No code templates yet."
    )


@code_template.command("change")
@click.argument("account")
@click.argument("template_id", metavar="ID", type=ROW_ID)
@click.option("--name", help="A new name.")
@click.option("--text", help=f"A new text; {CODE_MARK} stands for the code.")
@click.option("--length", type=LENGTH, help="Number of characters of a code.")
@click.option("--alphabet", type=click.Choice(list(ALPHABETS)))
@click.option("--sender", help="Sender ID; '' for the account's default.")
@in_context
async def change(
    context: CommandContext, account: str, template_id: int, alphabet: str | None, **others: str | int | None
) -> Reply:
    """Change a code template. Codes that were sent keep their text. Its app and its language stay.

    \b
    Example:  homing code-template change acme 7 --text "Acme: ##code##"
    """
    changes: dict[str, object] = {name: value for name, value in others.items() if value is not None}
    if alphabet is not None:
        changes["alphabet"] = ALPHABETS[alphabet]
    if not changes:
        raise click.UsageError("nothing to change: give --name, --text, --length, --alphabet or --sender")
    row = await context.account(account)
    async with context.database.transaction() as transaction:
        await statements.admin.account_settings(transaction, account_id=row.account_id)  # its lock: one at a time
        templates = await code_settings.list_code_templates(transaction, row.account_id)
        template = next((each for each in templates if each.template_id == template_id), None)
        if template is None:
            raise errors.InvalidInput("code template {template} does not exist", template=template_id)
        changed = msgspec.structs.replace(template, **changes)
        await code_settings.change_code_template(transaction, row.account_id, changed)
    return Confirmation(
        f"Code template {changed.name} of {row.name} changed.", {"template_id": template_id, "name": changed.name}
    )


@code_template.command("remove")
@click.argument("account")
@click.argument("template_id", metavar="ID", type=ROW_ID)
@in_context
async def remove(context: CommandContext, account: str, template_id: int) -> Reply:
    """Remove a code template. Codes that were sent with it can still be entered.

    \b
    Example:  homing code-template remove acme 7
    """
    row = await context.account(account)
    async with context.database.transaction() as transaction:
        await code_settings.remove_code_template(transaction, row.account_id, template_id)
    return Confirmation(f"Code template {template_id} of {row.name} removed.", {"template_id": template_id})
