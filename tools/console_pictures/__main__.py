"""Takes the console's pictures anew: `docs/pictures/console-*.png`. Two to four minutes.

    python -m tools.console_pictures            writes them into docs/pictures
    python -m tools.console_pictures FOLDER     writes them elsewhere

Starts an installation of its own in a temporary folder, on free ports, and sends through its API: verifications to
several countries that are resent and checked, SMS pumping that the guard blocks, a message whose report is pushed and
whose conversion is reported. What was counted in these two minutes is then spread over the last hour, so that the
charts have one to show.

Needs `make .venv/dev` and Chromium: `chromium` on the path, or a program named in CHROMIUM, as the browser tests do.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from tests.support.installation import Installation, nothing_left
from tools.console_pictures.hour import spread_over_the_hour
from tools.console_pictures.receiver import receiver
from tools.console_pictures.setup import set_up
from tools.console_pictures.shots import take_pictures
from tools.console_pictures.traffic import send_traffic

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"


async def run(folder: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="homing-pictures-") as temporary:
        installation = Installation(
            Path(temporary) / "data", workers=1, more={"HOMING_HTTP_URL": "https://sms.example.com"}
        )
        with nothing_left(installation):
            await installation.start()
            try:
                async with receiver() as report_url:
                    customer = await set_up(installation, report_url)
                    items = await send_traffic(installation, customer)
                await spread_over_the_hour(installation, customer.account_id)
                await take_pictures(installation, customer, items, folder)
            finally:
                await installation.stop()


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURES))
