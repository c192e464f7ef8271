"""laaffic: settings that an earlier call may have made a moment ago, in another process."""

from collections.abc import Callable

import msgspec

from homing import errors
from homing.accounts.directory import Directory
from homing.accounts.profile import Profile
from homing.model import App, CodeFlow, CodeTemplate


class CodeChoice(msgspec.Struct, frozen=True):
    """What a call to send a code names. `profile`: the account as it was read for it."""

    profile: Profile
    app: App
    template: CodeTemplate | None
    flow: CodeFlow | None


class ProfileReader:
    """An account is cached until the database tells of a change. A call that names what the cache does not have reads
    the account anew before it is refused.
    """

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def with_app(self, account: Profile, app_id: str) -> Profile:
        """Raises `UnknownApp`."""
        account = await self._current(account, lambda profile: app_id in profile.apps)
        if app_id not in account.apps:
            raise errors.UnknownApp
        return account

    async def choose(self, account: Profile, app_id: str, template_id: int | None, flow_id: int | None) -> CodeChoice:
        """Raises `UnknownApp`, or `BadShape` for a template or a flow that the app has not."""
        account = await self._current(account, lambda profile: _has(profile, app_id, template_id, flow_id))
        app = account.apps.get(app_id)
        if app is None:
            raise errors.UnknownApp
        template = None if template_id is None else account.code_templates.get(template_id)
        if template_id is not None and (template is None or template.app_id != app_id):
            raise errors.BadShape("templateId is none of the application's")
        flow = None if flow_id is None else account.code_flows.get(flow_id)
        if flow_id is not None and flow is None:
            raise errors.BadShape("flowId is unknown")
        return CodeChoice(account, app, template, flow)

    async def _current(self, account: Profile, suffices: Callable[[Profile], bool]) -> Profile:
        if suffices(account):
            return account
        return await self._directory.profile_of(account.account_id) or account


def _has(profile: Profile, app_id: str, template_id: int | None, flow_id: int | None) -> bool:
    return (
        app_id in profile.apps
        and (template_id is None or template_id in profile.code_templates)
        and (flow_id is None or flow_id in profile.code_flows)
    )
