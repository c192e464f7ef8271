"""Changes of accounts, for the command line and the console. Running processes notice each at once, by triggers."""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import asyncpg
import msgspec

from homing import errors, limits
from homing.accounts.profile import SMPP_CHARSETS
from homing.admin.code_settings import NameTaken
from homing.common.crypto import Vault, make_secret
from homing.common.money import AMOUNT_MICRO_MAX
from homing.common.networks import Network
from homing.common.urls import is_web_address
from homing.dialects.base import Dialect, Dialects
from homing.ledger.balances import create_balance, set_credit_limit
from homing.statistics.app_reporting import shows_conversions
from homing.store import statements
from homing.store.database import Database, DatabaseConnection
from homing.store.statements.admin import AccountRow, AppListRow, MatchingCredential

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,62}", re.ASCII)
BOUNDS: Final = {
    "binds_max": (0, limits.BINDS_MAX),
    "bind_window": (1, limits.BIND_WINDOW_MAX),
    "submits_per_s": (1, limits.SUBMITS_PER_S_MAX),
}
SENDER: Final = re.compile(r"[\x20-\x7e]{1,32}", re.ASCII)


class NewCredential(msgspec.Struct, frozen=True):
    """A new credential, which is shown once: its secret cannot be read again."""

    credential_id: int
    dialect: Dialect
    key: str
    secret: str

    @property
    def token(self) -> str:
        """Key and secret in one text, as they are pasted; "" where the dialect has them apart."""
        credentials = self.dialect.credentials
        return "" if credentials is None else credentials.shown(self.key, self.secret)


def as_id(text: str) -> int | None:
    """The ID that a text spells, None if it is not one."""
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None


async def find_account(connection: DatabaseConnection | Database, name_or_id: str) -> AccountRow:
    """An account by its name or its id. Raises `InvalidInput` when there is none."""
    account_id = as_id(name_or_id)
    row = await statements.admin.account_find(connection, name=name_or_id, account_id=account_id)
    if row is None:
        raise errors.InvalidInput(
            "account {name} does not exist; `homing account list` lists the accounts", name=repr(name_or_id)
        )
    return row


async def create_account(connection: DatabaseConnection, name: str, email: str | None = None) -> int:
    """Makes an account with balances of zero. Raises `InvalidInput` when the name is taken or cannot be one."""
    if not NAME.fullmatch(name) or name.isdigit():
        raise errors.InvalidInput(
            "{name} is not a valid account name: use letters, digits and _ . @ - (not only digits)", name=repr(name)
        )
    _check_email(email)
    account_id = await statements.admin.account_create(
        connection,
        name=name,
        email=email,
        queries_per_s=limits.QUERIES_PER_S_DEFAULT,
        submits_per_s=limits.SUBMITS_PER_S_DEFAULT,
    )
    if account_id is None:
        raise errors.InvalidInput("an account with the name {name} or this email already exists", name=repr(name))
    await create_balance(connection, account_id)
    return account_id


async def set_lock(connection: DatabaseConnection, account_id: int, reason: str | None) -> None:
    """Locks with a reason, unlocks with None."""
    await statements.admin.account_lock(connection, account_id=account_id, lock_reason=reason)


async def set_credit(connection: DatabaseConnection, account_id: int, credit_micro: int) -> None:
    """How far below zero the balance may go."""
    if not 0 <= credit_micro <= AMOUNT_MICRO_MAX:
        raise errors.InvalidInput("the credit limit must be 0 or more")
    await set_credit_limit(connection, account_id, credit_micro)


async def change_account(connection: DatabaseConnection, account_id: int, changes: Mapping[str, Any]) -> None:
    """Changes settings by column name: email, allowed_networks (texts), queries_per_s, templates_required,
    refund_undeliverable, default_sender, retention_days, binds_max, bind_window, submits_per_s (None: any),
    smpp_charset, unicode_fallback, unique_references. Raises `InvalidInput` for an invalid value.
    """
    row = await statements.admin.account_settings(connection, account_id=account_id)
    values: dict[str, Any] = {**(msgspec.structs.asdict(row) if row else {}), **changes}
    networks = [_network(str(text)) for text in values["allowed_networks"]]
    if not 1 <= values["queries_per_s"] <= 1_000_000:
        raise errors.InvalidInput("the query rate must be 1 to 1000000 per second")
    for name, (minimum, maximum) in BOUNDS.items():
        if values[name] is not None and not minimum <= values[name] <= maximum:
            raise errors.InvalidInput(
                "{name} must be between {minimum} and {maximum}",
                name=name.replace("_", " "),
                minimum=minimum,
                maximum=maximum,
            )
    if values["smpp_charset"] not in SMPP_CHARSETS:
        raise errors.InvalidInput("the default alphabet must be one of {names}", names=", ".join(SMPP_CHARSETS))
    _check_email(values["email"])
    if changes.get("default_sender") is not None:
        await _check_sender(connection, account_id, changes["default_sender"])
    try:
        await statements.admin.account_change(
            connection,
            account_id=account_id,
            email=values["email"],
            allowed_networks=networks,
            queries_per_s=values["queries_per_s"],
            templates_required=values["templates_required"],
            refund_undeliverable=values["refund_undeliverable"],
            default_sender=values["default_sender"],
            retention_days=values["retention_days"],
            binds_max=values["binds_max"],
            bind_window=values["bind_window"],
            submits_per_s=values["submits_per_s"],
            smpp_charset=values["smpp_charset"],
            unicode_fallback=values["unicode_fallback"],
            unique_references=values["unique_references"],
        )
    except asyncpg.UniqueViolationError:
        raise errors.InvalidInput("the email {email} belongs to another account", email=repr(values["email"])) from None


async def create_credential(
    connection: DatabaseConnection,
    vault: Vault,
    account_id: int,
    dialect: Dialect,
    *,
    key: str | None = None,
    secret: str | None = None,
    label: str = "",
    may_be_short: bool = False,
    scopes: Sequence[str] = (),
) -> NewCredential:
    """Creates a credential; key and secret that are not given are made in the dialect's form. `may_be_short` accepts a
    short secret that is in use elsewhere. `scopes`: what it may be used for, of those that the dialect has; none:
    everything. Raises `InvalidInput` when the key is taken or the secret can be guessed.
    """
    rules = dialect.credentials
    if rules is None:
        raise errors.InvalidInput(
            "the dialect {dialect} is used with the keys of Homing's own API", dialect=dialect.name
        )
    key = rules.make_key() if key is None else key
    chars_min = rules.secret_chars_min
    secret = secret or make_secret(chars_min)
    if len(secret) < chars_min and not may_be_short:
        raise errors.InvalidInput(
            "a secret shorter than {n} characters can be guessed: let Homing generate one, or confirm"
            " that it is already in use and may be short",
            n=chars_min,
        )
    if not 1 <= len(key) <= limits.KEY_CHARS_MAX or not key.isprintable() or not secret.isprintable():
        raise errors.InvalidInput("keys and secrets must be printable text")
    if len(key) > rules.key_chars_max:
        raise errors.InvalidInput("{name} can have at most {n} characters", name=rules.key_name, n=rules.key_chars_max)
    if rules.secret_chars_max is not None and len(secret) > rules.secret_chars_max:
        raise errors.InvalidInput(
            "{name} can have at most {n} characters", name=rules.secret_name, n=rules.secret_chars_max
        )
    if rules.token and not all(part.isascii() and part.isalnum() for part in (key, secret)):
        raise errors.InvalidInput("key and secret of this dialect consist of ASCII letters and digits")
    unknown = [scope for scope in scopes if scope not in rules.scopes]
    if unknown:
        raise errors.InvalidInput(
            "the dialect {dialect} has no scope {scope}; it has: {scopes}",
            dialect=dialect.name,
            scope=repr(unknown[0]),
            scopes=", ".join(rules.scopes) or "-",
        )
    credential_id = await statements.admin.credential_create(
        connection,
        account_id=account_id,
        dialect=dialect.number,
        key=key,
        secret=vault.seal(secret),
        label=label,
        scopes=sorted(set(scopes)) or None,
    )
    if credential_id is None:
        raise errors.InvalidInput("the key {key} is already in use", key=repr(key))
    return NewCredential(credential_id, dialect, key, secret)


async def revoke_credential(
    connection: DatabaseConnection,
    dialects: Dialects,
    key_or_id: str,
    dialect: int | None = None,
    account_id: int | None = None,
) -> MatchingCredential:
    """Revokes a credential, named by its ID or its key, and gives it. With a dialect the text is a key of it; with an
    account only that account's credentials match.

    Raises `InvalidInput` when none matches, or more than one: a key of digits can look like another's ID.
    """
    rows = await statements.admin.credential_matching(
        connection, key=key_or_id, credential_id=as_id(key_or_id), dialect=dialect, account_id=account_id
    )
    if not rows:
        raise errors.InvalidInput("no active credential has the key or ID {key}", key=repr(key_or_id))
    if len(rows) > 1:
        meant = ", ".join(f"{dialects.name_of(row.dialect)} {row.key} (id {row.credential_id})" for row in rows)
        raise errors.InvalidInput(
            "{key} is ambiguous ({meant}): give the key and its dialect", key=repr(key_or_id), meant=meant
        )
    await statements.admin.credential_revoke(connection, credential_id=rows[0].credential_id)
    return rows[0]


async def create_app(
    connection: DatabaseConnection,
    account_id: int,
    *,
    name: str,
    app_id: str | None = None,
    report_url: str | None = None,
    inbound_url: str | None = None,
) -> str:
    """Creates an app; gives its ID. Raises `NameTaken` when another app of the account has the name, `InvalidInput`
    when the ID is taken.
    """
    app_id = app_id or make_secret(8)
    check_url(report_url)
    check_url(inbound_url)
    await statements.admin.account_settings(
        connection, account_id=account_id
    )  # locks the account: two apps of one name cannot be created at once
    if any(row.name == name for row in await statements.admin.app_list(connection, account_id=account_id)):
        raise NameTaken("the account already has an app named {name}", name=repr(name))
    if (
        await statements.admin.app_create(
            connection, app_id=app_id, account_id=account_id, name=name, report_url=report_url, inbound_url=inbound_url
        )
        is None
    ):
        raise errors.InvalidInput("the app ID {app} is already in use", app=repr(app_id))
    return app_id


async def change_app(connection: DatabaseConnection, app_id: str, changes: Mapping[str, str | bool | None]) -> None:
    """Changes `report_url` or `inbound_url` (None: nothing is pushed) or `expects_conversions` (None: inferred from its
    traffic). Raises `InvalidInput`.
    """
    row = await statements.admin.app_find(connection, app_id=app_id)
    if row is None:
        raise errors.InvalidInput(
            "app {app} does not exist; `homing app list` lists an account's apps", app=repr(app_id)
        )
    changed = msgspec.structs.replace(row, **changes)
    check_url(changed.report_url)
    check_url(changed.inbound_url)
    await statements.admin.app_change(
        connection,
        app_id=app_id,
        report_url=changed.report_url,
        inbound_url=changed.inbound_url,
        expects_conversions=changed.expects_conversions,
    )


async def add_sender(connection: DatabaseConnection, account_id: int, sender: str, default: bool = False) -> None:
    """Registers a sender ID; the first one, or one added with `default`, is the account's default."""
    if not SENDER.fullmatch(sender) or not sender.strip():
        raise errors.InvalidInput("a sender ID must have 1 to 32 printable ASCII characters")
    await statements.admin.sender_add(connection, account_id=account_id, sender=sender)
    if default:
        await statements.admin.sender_default(connection, account_id=account_id, sender=sender)


async def remove_sender(connection: DatabaseConnection, account_id: int, sender: str) -> None:
    """Raises `InvalidInput` when it is not the account's. If it was the default, the first of the others becomes it."""
    await _check_sender(connection, account_id, sender)
    await statements.admin.sender_remove(connection, account_id=account_id, sender=sender)
    await statements.admin.sender_default_forget(connection, account_id=account_id, sender=sender)


async def add_template(connection: DatabaseConnection, account_id: int, name: str, body: str) -> int:
    """Adds a template and gives its ID; {V1}..{V5} in its body are variables."""
    if not body or "\0" in body:
        raise errors.InvalidInput("the template text is empty")
    if not name.strip() or "\0" in name or as_id(name) is not None:
        raise errors.InvalidInput("the template needs a name that is not only digits (digits are template IDs)")
    template_id = await statements.admin.template_add(connection, account_id=account_id, name=name, body=body)
    if template_id is None:
        raise errors.InvalidInput("the account already has a template named {name}", name=repr(name))
    return template_id


async def remove_template(connection: DatabaseConnection | Database, account_id: int, name_or_id: str) -> int:
    """Gives its ID. Raises `InvalidInput` when the account has none of that name or ID."""
    template_id = await statements.admin.template_remove(
        connection, account_id=account_id, name=name_or_id, template_id=as_id(name_or_id)
    )
    if template_id is None:
        raise errors.InvalidInput("the account has no template {name}", name=repr(name_or_id))
    return template_id


def shown_app(row: AppListRow) -> dict[str, Any]:
    """A row of `app_list` with `reports_conversions`: whether its traffic of the last days shows any; None: too little
    traffic to tell.
    """
    return {**msgspec.structs.asdict(row), "reports_conversions": shows_conversions(row.sent, row.converted)}


async def _check_sender(connection: DatabaseConnection, account_id: int, sender: str) -> None:
    if not await statements.admin.sender_exists(connection, account_id=account_id, sender=sender):
        raise errors.InvalidInput("the account has no sender ID {sender}", sender=repr(sender))


def _check_email(email: str | None) -> None:
    if email is not None and not (
        "@" in email.strip("@") and email.isprintable() and " " not in email and len(email) <= limits.KEY_CHARS_MAX
    ):
        raise errors.InvalidInput("{email} is not a valid email address", email=repr(email))


def check_url(url: str | None) -> None:
    if url is not None and not (is_web_address(url) and " " not in url and len(url) <= limits.URL_CHARS_MAX):
        raise errors.InvalidInput("{url} is not a valid http or https URL", url=repr(url))


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise errors.InvalidInput(
            "{network} is not a valid IP address or network, such as 203.0.113.0/24", network=repr(text)
        ) from None
