"""The bodies of the two calls and of errors, as the definition has them."""

from typing import Annotated

import msgspec
from msgspec import Meta

from homing.dialects.camara import bounds


class SendCodeBody(msgspec.Struct, frozen=True):
    """send-code."""

    phoneNumber: Annotated[str, Meta(pattern=r"^\+[1-9][0-9]{4,14}$")]
    message: Annotated[str, Meta(pattern=r"\{\{code\}\}", max_length=bounds.MESSAGE_CHARS_MAX)]


class SendCodeReply(msgspec.Struct, frozen=True):
    authenticationId: str


class ValidateCodeBody(msgspec.Struct, frozen=True):
    """validate-code."""

    authenticationId: Annotated[str, Meta(max_length=bounds.ID_CHARS_MAX)]
    code: Annotated[str, Meta(min_length=1, max_length=bounds.CODE_CHARS_MAX)]


class CamaraError(msgspec.Struct, frozen=True):
    """`ErrorInfo` of the definition."""

    status: int
    code: str
    message: str
