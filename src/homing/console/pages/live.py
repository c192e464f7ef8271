"""The stream that tells open pages when to look again."""

from starlette.responses import Response, StreamingResponse

from homing.console.page import EVERYBODY, Page, Section
from homing.console.visit import Visit


async def show(visit: Visit) -> Response:
    return StreamingResponse(visit.shared.live.stream(visit.user.user_id), media_type="text/event-stream")


SECTION = Section((Page("/live", show, seen_by=EVERYBODY),))
