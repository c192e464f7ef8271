"""The lia dialect's settings; settings.toml has their defaults and says what they mean."""

from typing import Annotated

import msgspec

Origin = Annotated[str, msgspec.Meta(pattern=r"^https?://[a-z0-9.\-\[\]:]+$")]
"""As browsers send it: scheme, host in small letters and, where it is not the scheme's own, port."""


class LiaDialectSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    success_remark: str
    allowed_origins: list[Origin]
