"""One Label Studio server: projects, tasks out, annotations back.

The SDK's own retries are off. Label Studio has no unique key for tasks, and a repeated import makes each of them
twice; so a call that failed is repeated by the caller, who first asks what is there (`find_tasks`).
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, TypeVar

from queue_server.core.label_studio_json import MODEL_VERSION
from queue_server.errors import LabelStudioError
from queue_server.label_studio.refusals import translated
from queue_server.label_studio.values import ChangedTask, Json, Look, ServerStatus, TaskStatus, look_of, sample_id_of

_T = TypeVar("_T")

INBOX_TITLE = "Inbox"
WEBHOOK_ACTIONS = (
    "ANNOTATION_CREATED",
    "ANNOTATIONS_CREATED",
    "ANNOTATION_UPDATED",
    "ANNOTATIONS_DELETED",
    "TASKS_DELETED",
)

#: Ids asked for at once; a page holds ten tasks of each, and none has so many.
_CHUNK = 500
_FOUND_PER_PAGE = 5000
_CHANGED_PER_PAGE = 200
#: `include` filters the nested annotations too, so their fields are named.
_CHANGED_FIELDS = (
    "id,data,updated_at,annotations,result,completed_by,was_cancelled,parent_prediction,lead_time,created_at,"
    "ground_truth,task"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Project:
    """What an import needs to know of its project."""

    label_config: str
    #: the one whose predictions the label stream shows; empty: none yet
    model_version: str


_DULL = (
    *("inner_id", "completed_at", "total_annotations", "cancelled_annotations", "total_predictions", "annotators"),
    *("annotations_results", "annotations_ids", "predictions_score", "predictions_model_versions"),
    *("predictions_results", "file_upload", "storage_filename", "created_at", "updated_at", "updated_by"),
    *("avg_lead_time", "draft_exists", "data.rank", "data.inbox", "data.generation", "data.reasons", "data.details"),
    *("data.look", "data.stands_for"),
    *("data.user_count", "data.sample_id"),
)
_TOLD = (
    *("data.priority", "data.reason", "data.model_version", "data.confidence", "data.summary", "data.comment"),
    "data.tags",
)
#: So that an annotator sees image and reason without scrolling. Without `labeling` Label Studio answers 500.
_HIDDEN_COLUMNS = {
    "explore": [f"tasks:{name}" for name in _DULL],
    "labeling": [f"tasks:{name}" for name in ("id", *_DULL, *_TOLD)],
}


class LabelStudio:
    """One Label Studio server, as the user whose token is given: a personal access token or a legacy one."""

    def __init__(self, url: str, api_key: str, *, timeout_seconds: float = 60.0) -> None:
        """Prepare; nothing is loaded or asked before the first call."""
        self.url = url.rstrip("/")
        self._api_key = api_key
        self._timeout_seconds = timeout_seconds
        #: label_studio_sdk.LabelStudio; its client is not typed
        self._sdk: Any = None

    def check(self) -> ServerStatus:
        """Return the version of the server and our user there: proof that address and token are right."""
        with self._asked("tell its version and user") as sdk:
            return ServerStatus(version=str(sdk.versions.get().release), user=str(sdk.users.whoami().email))

    def task_url(self, project_id: int, task_id: int) -> str:
        """Return the address at which a person sees a task."""
        return f"{self.url}/projects/{project_id}/data?task={task_id}"

    def ensure_project(self, title: str, label_config: str) -> int:
        """Return the id of the project of exactly this title; make it with this labelling interface if there is none.

        A project that is there keeps its own interface. Of several with the title the oldest is meant, so that two
        processes that make one at the same moment agree.
        """
        found = self._project_ids(title)
        if not found:
            with self._asked(f"make the project {title!r}") as sdk:
                sdk.projects.create(title=title, label_config=label_config)
            found = self._project_ids(title)
        return min(found)

    def get_label_config(self, project_id: int) -> str:
        """Return the XML of a project's labelling interface."""
        return self._project(project_id).label_config

    def set_label_config(self, project_id: int, label_config: str) -> None:
        """Replace a project's labelling interface; Label Studio refuses to drop what annotations use."""
        with self._asked("change a labelling interface") as sdk:
            sdk.projects.update(project_id, label_config=label_config)

    def ensure_inbox(self, project_id: int) -> int:
        """Return the id of the tab of what is wanted and has no tab of its own; make or mend it where needed."""
        return self._ensure_view(project_id, INBOX_TITLE, shows="yes")

    def ensure_tab(self, project_id: int, title: str) -> int:
        """Return the id of a tab besides the inbox, with what is wanted there; make or mend it where needed."""
        return self._ensure_view(project_id, title, shows=title)

    def _ensure_view(self, project_id: int, title: str, *, shows: str) -> int:
        """Return the id of a tab, the most urgent first; `shows` is what `data.inbox` says of its tasks.

        In Label Studio 1.23 annotators follow the tab with "Label Tasks As Displayed"; "Label All Tasks" serves the
        whole project in its own order, withdrawn tasks too.
        """
        wanted = {
            "title": title,
            "ordering": ["-tasks:data.rank"],
            "filters": _filters(
                ("data.inbox", "equal", "String", shows),
                ("completed_at", "empty", "Datetime", "true"),
                # Label Studio does not count a skip as completion; we do.
                ("cancelled_annotations", "equal", "Number", 0),
            ),
            # For people who order by the priority themselves: PostgreSQL has "60" above "100" without it.
            "columnsDisplayType": {"tasks:data.priority": "Number"},
        }
        with self._asked("list the tabs of a project") as sdk:
            for view in sdk.views.list(project=project_id):
                data = view.data if isinstance(view.data, dict) else {}
                if data.get("title") == title and view.id is not None:
                    if any(data.get(key) != value for key, value in wanted.items()):
                        # A person's own settings of the tab, such as hidden columns, stay.
                        sdk.views.update(str(view.id), data={**data, **wanted}, project=project_id)
                    return int(view.id)
            made = sdk.views.create(project=project_id, data={**wanted, "hiddenColumns": _HIDDEN_COLUMNS})
            return int(made.id)

    def ensure_webhook(self, project_id: int, url: str, *, headers: Mapping[str, str]) -> int:
        """Return the id of the project's webhook to this address; make or mend it where needed."""
        wanted = {"headers": dict(headers), "is_active": True, "send_for_all_actions": False, "send_payload": True}
        with self._asked(
            "set up a webhook (it refuses private addresses unless USE_DEFAULT_BANNED_SUBNETS=false)"
        ) as sdk:
            for hook in sdk.webhooks.list(project=project_id):
                if hook.url == url and hook.id is not None:
                    is_right = all(getattr(hook, key) == value for key, value in wanted.items())
                    if not is_right or set(hook.actions or ()) != set(WEBHOOK_ACTIONS):
                        # The actions go along each time: a change without them empties them.
                        sdk.webhooks.update(hook.id, url=url, actions=WEBHOOK_ACTIONS, **wanted)
                    return int(hook.id)
            made = sdk.webhooks.create(url=url, project=project_id, actions=WEBHOOK_ACTIONS, **wanted)
            return int(made.id)

    def check_tasks(self, project_id: int, envelopes: Sequence[Json]) -> None:
        """Raise LabelStudioError, permanent, that names the samples whose pre-annotations do not fit the project."""
        if faults := _faults(self.get_label_config(project_id), envelopes):
            named = "; ".join(f"sample {sample_id}: {fault}" for sample_id, fault in islice(faults.items(), 5))
            raise LabelStudioError(f"pre-annotations must fit the labelling interface, got {named}", permanent=True)

    def import_tasks(self, project_id: int, envelopes: Sequence[Json]) -> list[int]:
        """Make one task of each envelope, in one request at once, and return their ids in the same order.

        All or none are made. An error that is not permanent leaves open whether they were: ask `find_tasks` before
        the next try. Label Studio may store what does not fit: `check_tasks` comes first.
        """
        with self._asked(f"take {len(envelopes)} tasks") as sdk:
            answer = sdk.projects.import_tasks(
                project_id,
                request=[dict(envelope) for envelope in envelopes],
                return_task_ids=True,
                request_options={"max_retries": 0},
            )
        task_ids = list(answer.task_ids or ())
        if len(task_ids) != len(envelopes):
            message = f"Label Studio must answer with {len(envelopes)} task ids, got {len(task_ids)}"
            raise LabelStudioError(f"{message}: only its Community edition imports at once")
        if any(envelope["predictions"] for envelope in envelopes):
            self._show_predictions(project_id)
        return task_ids

    def find_tasks(self, project_id: int, looks: Iterable[Look]) -> dict[Look, int]:
        """Return the task ids of those looks that have a task; of several the oldest."""
        wanted = set(looks)
        there = self.all_tasks(project_id, sorted({sample_id for sample_id, _ in wanted}))
        return {look: min(task_ids) for look, task_ids in there.items() if look in wanted}

    def all_tasks(self, project_id: int, sample_ids: Iterable[str]) -> dict[Look, list[int]]:
        """Return every task of those samples, by look: more than one a look would be a fault of ours."""
        found: dict[Look, list[int]] = {}
        for chunk in _chunks(sample_ids):
            for task_id, data in self._listed(project_id, ("data.sample_id", "in_list", "String", chunk)):
                sample_id = sample_id_of(data)
                if sample_id is not None:
                    found.setdefault((sample_id, look_of(data)), []).append(task_id)
        return found

    def existing_task_ids(self, project_id: int, task_ids: Iterable[int]) -> set[int]:
        """Return those of the task ids that are still there."""
        listed = (self._listed(project_id, ("id", "in_list", "Number", chunk)) for chunk in _chunks(task_ids))
        return {task_id for tasks in listed for task_id, _ in tasks}

    def get_task(self, task_id: int) -> TaskStatus | None:
        """Return a task as it is now; None if it was deleted."""
        try:
            with self._asked("show a task") as sdk:
                return TaskStatus.of(sdk.tasks.get(str(task_id)).model_dump())
        except LabelStudioError as error:
            if error.status == 404:
                return None
            raise

    def update_data(self, task_id: int, data: Json, *, annotators: int = 1) -> None:
        """Set these keys of a task's data; the others stay. Several annotators may be asked for.

        In Label Studio 1.23 an import ignores a task's `overlap`, and a change of it is heard only before the first
        annotation. With it the task is not complete, and stays in the inbox, until so many have annotated it; nobody
        is served a task twice.
        """
        more = {"overlap": annotators} if annotators > 1 else {}
        with self._asked("change a task") as sdk:
            there = sdk.tasks.get(str(task_id)).data
            options = {"additional_body_parameters": more} if more else None
            sdk.tasks.update(str(task_id), data={**there, **data}, request_options=options)

    def redraw(self, task_id: int, predictions: Sequence[Json]) -> None:
        """Let a task that nobody touched show these pre-annotations, as `import_tasks` takes them, and no others."""
        with self._asked("redraw a task") as sdk:
            there = {item.id: item for item in sdk.predictions.list(task=task_id)}
            for wanted in predictions:
                known = next(iter(there), None)
                if known is None:
                    sdk.predictions.create(task=task_id, **wanted)
                elif there.pop(known).result != wanted["result"]:
                    # In place: a task without its pre-annotation, or with two, would be shown to whoever opens it now.
                    sdk.predictions.update(known, task=task_id, **wanted)
            for left in there:
                sdk.predictions.delete(left)

    def changed_since(self, project_id: int, since: datetime) -> Iterator[ChangedTask]:
        """Yield each task whose annotations changed at or after `since`, the longest unchanged first.

        Sees created, edited, skipped and deleted annotations and bulk actions. A task that changes meanwhile comes
        again. Reads on from the last task's time, not by page number: a task that changes while we read moves to the
        end, and each one after it would move up by one, past us.
        """
        seen: set[tuple[int, datetime]] = set()
        page = 1
        while True:
            tasks = self._changed_page(project_id, since, page)
            for task in tasks:
                if (task.task_id, task.updated_at) not in seen:
                    seen.add((task.task_id, task.updated_at))
                    yield task
            if len(tasks) < _CHANGED_PER_PAGE:
                return
            # A bulk action may give one time to more tasks than a page holds.
            page = page + 1 if tasks[-1].updated_at == since else 1
            since = tasks[-1].updated_at

    def _changed_page(self, project_id: int, since: datetime, page: int) -> list[ChangedTask]:
        time = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        filters = _filters(
            ("updated_at", "greater_or_equal", "Datetime", time), ("updated_by", "empty", "List", "false")
        )
        with self._asked("list changed tasks") as sdk:
            answer = sdk.tasks.list(
                project=project_id,
                query=json.dumps({"filters": filters, "ordering": ["tasks:updated_at"]}),
                fields="all",
                include=_CHANGED_FIELDS,
                page=page,
                page_size=_CHANGED_PER_PAGE,
            )
            return [ChangedTask.of(task.model_dump()) for task in answer.items or ()]

    def _listed(self, project_id: int, wanted: tuple[str, str, str, object]) -> Iterator[tuple[int, Json]]:
        """Yield (id, data) of the tasks that match; the filter goes in the body, where 500 ids have room."""
        with self._asked("list tasks") as sdk:
            answer = sdk.tasks.list(
                project=project_id,
                page_size=_FOUND_PER_PAGE,
                fields="task_only",
                include="id,data",
                request_options={"additional_body_parameters": {"filters": _filters(wanted)}},
            )
        yield from ((task.id, task.data or {}) for task in answer.items or ())

    def _project(self, project_id: int) -> _Project:
        with self._asked("show a project") as sdk:
            found = sdk.projects.get(project_id)
            return _Project(label_config=found.label_config or "", model_version=found.model_version or "")

    def _project_ids(self, title: str) -> list[int]:
        with self._asked("list its projects") as sdk:
            # The server's filter finds titles that contain it.
            return [item.id for item in sdk.projects.list(title=title, include="id,title") if item.title == title]

    def _show_predictions(self, project_id: int) -> None:
        """Let the label stream show our predictions: it shows those of one version, by default the first it saw."""
        project = self._project(project_id)
        if project.model_version not in {"", MODEL_VERSION}:
            with self._asked("show our predictions") as sdk:
                sdk.projects.update(project_id, model_version=MODEL_VERSION)

    @contextmanager
    def _asked(self, action: str) -> Iterator[Any]:
        with translated(self.url, action=action):
            if self._sdk is None:
                import httpx
                import label_studio_sdk

                connect: Any = label_studio_sdk.LabelStudio
                self._sdk = connect(
                    # The SDK exchanges a token below the address as if it were a folder: it must end so.
                    base_url=f"{self.url}/",
                    api_key=self._api_key,
                    max_retries=0,
                    # Calls are few and large: a connection each costs little, and nothing is left to be closed.
                    httpx_client=httpx.Client(
                        timeout=self._timeout_seconds,
                        follow_redirects=True,
                        limits=httpx.Limits(max_keepalive_connections=0),
                    ),
                )
            yield self._sdk


def _faults(label_config: str, envelopes: Sequence[Json]) -> dict[str, str]:
    from label_studio_sdk.label_interface.interface import LabelInterface

    interface: Any = LabelInterface(label_config)
    faults = {}
    for envelope in envelopes:
        data, predictions = envelope["data"], envelope["predictions"]
        assert isinstance(data, dict) and isinstance(predictions, list)
        found = [fault for each in predictions for fault in interface.validate_prediction(each, return_errors=True)]
        if found:
            faults[str(data.get("sample_id"))] = found[0]
    return faults


def _filters(*items: tuple[str, str, str, object]) -> dict[str, object]:
    """Return Label Studio's form of filters that must all hold: (column, operator, type, value)."""
    return {
        "conjunction": "and",
        "items": [
            {"filter": f"filter:tasks:{column}", "operator": operator, "type": kind, "value": value}
            for column, operator, kind, value in items
        ],
    }


def _chunks(items: Iterable[_T]) -> Iterator[list[_T]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, _CHUNK)):
        yield chunk
