"""The mark of a setting that nobody is shown."""

from typing import Annotated, Final

import msgspec

SECRET: Final = msgspec.Meta(extra={"secret": True})
"""`password: Annotated[str, SECRET]`; `kinds.shown` hides what bears it."""

Secret = Annotated[str, SECRET]
