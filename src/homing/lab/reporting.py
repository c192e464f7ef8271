"""When a customer's reports of conversions become known: in part, late, in bulk, or never."""

import numpy as np
from numpy.typing import NDArray

from homing.lab.scenario import Scenario
from homing.lab.world import Demand


class ReportingModel:
    """The reporting processes of a scenario's apps. Its draws come with the demand."""

    def __init__(self, scenario: Scenario) -> None:
        apps = scenario.apps
        self._share = np.array([app.report_share if app.reports else 0.0 for app in apps])
        self._median_s = np.array([app.report_s_median for app in apps])
        self._sigma = np.array([app.report_s_sigma for app in apps])
        self._bulk_s = np.array([app.report_bulk_min * 60 for app in apps])
        self._dated = np.array([app.report_dated for app in apps])
        self._until_s = np.array(
            [np.inf if app.stops_reporting_at_h is None else app.stops_reporting_at_h * 3600 for app in apps]
        )
        self._outages = [(index, outage) for index, app in enumerate(apps) for outage in app.report_outages]

    def known_s(self, people: Demand, converted_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """When the report of each person's conversion arrives, in seconds from the beginning; inf: never.

        `people` have `app` and the draws of their report.
        """
        app = people["app"]
        delay_s = self._median_s[app] * np.exp(self._sigma[app] * people["report_delay_draw"].astype(np.float64))
        known_s = converted_s + delay_s
        bulk_s = self._bulk_s[app]
        known_s = np.where(bulk_s > 0, np.ceil(known_s / np.maximum(bulk_s, 1)) * bulk_s, known_s)
        known_s = np.where(known_s < self._until_s[app], known_s, np.inf)
        for index, outage in self._outages:
            during = (app == index) & (known_s >= outage.from_h * 3600) & (known_s < outage.until_h * 3600)
            known_s[during] = outage.until_h * 3600 if outage.reported_later else np.inf
        return np.where(people["report_draw"] < self._share[app], known_s, np.inf)

    def stated_s(
        self, people: Demand, converted_s: NDArray[np.float64], known_s: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """When the conversions happened, as the platform takes it: the report's time where the report does not say."""
        return np.where(self._dated[people["app"]], converted_s, known_s)
