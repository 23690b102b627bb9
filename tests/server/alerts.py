"""One project with alerts, on one database, looked at when a test says."""

from datetime import datetime, timedelta

from queue_server import models
from queue_server.alerting import Looked, Order, do, look_at_alerts
from queue_server.backend import Backend
from queue_server.core.alerts import Action, Status
from queue_server.notifications import Delivered, deliver
from queue_server.store import alerts, notifications, projects
from queue_server.store.alerts import StoredAlert
from queue_server.store.engine import reading, writing
from tests.server.clock import Clock
from tests.server.conftest import NOW, PROJECT, apply_project, prediction

#: in the policy of the tests every objection is queued, so objections make the backlog long
BACKLOG = "{name: long, figure: queue.backlog, above: 1, channels: [ops]%s}"
HOUR = timedelta(hours=1)


class Watched(Clock):
    """A project with alerts."""

    def __init__(
        self, backend: Backend, *alerts: str, url: str = "http://127.0.0.1:9", more: str = "", rate: float = 0.0
    ) -> None:
        self.url, self.more, self.rate = url, more, rate
        super().__init__(backend, self.text(*alerts))

    def text(self, *alerts: str) -> str:
        listed = "".join(f"  - {alert}\n" for alert in alerts)
        channels = f"channels:\n  ops: {{webhook: '{self.url}'}}\n  team: {{webhook: '{self.url}'}}\n"
        project = PROJECT.replace("rate: 0.0", f"rate: {self.rate}")
        return f"{project}{channels}alerts:\n{listed}{self.more}" if listed else f"{project}{channels}{self.more}"

    def apply(self, *alerts: str) -> None:
        """Change the alerts of the project's file."""
        apply_project(self.backend, self.text(*alerts))

    @property
    def project(self) -> models.Project:
        with reading(self.backend.engine) as session:
            return projects.get(session, self.project_id)

    def look(self, now: datetime = NOW) -> Looked:
        return look_at_alerts(self.backend, self.project, now=now)

    def deliver(self) -> Delivered:
        return deliver(self.backend)

    def alert(self, name: str = "long") -> StoredAlert:
        with reading(self.backend.engine) as session:
            found = alerts.find(session, self.project_id, name)
        assert found is not None
        return found

    def status(self, now: datetime = NOW) -> Status:
        return self.alert().status(now)

    def do(self, action: Action, *, name: str = "long", now: datetime = NOW, until: datetime | None = None) -> None:
        with writing(self.backend.engine) as session:
            do(session, self.project_id, name, Order(action=action, until=until, actor="a test"), now=now)

    def events(self) -> list[str]:
        with reading(self.backend.engine) as session:
            return [event.event for event in reversed(alerts.events(session, self.project_id, limit=100))]

    def notifications(self) -> list[models.Notification]:
        with reading(self.backend.engine) as session:
            return list(reversed(notifications.of_project(session, self.project_id, limit=100)))

    def object(self, count: int) -> None:
        """Let users object to so many samples, each of which is queued."""
        for _ in range(count):
            self.say(self.arrive(prediction(0.9)), "rejected")
