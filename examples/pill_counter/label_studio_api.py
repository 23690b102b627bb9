"""The few calls of Label Studio's HTTP API that an annotator needs."""

import base64
import binascii
import json
from collections.abc import Iterator
from typing import cast
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

Json = dict[str, object]
_PAGE_SIZE = 100
_TIMEOUT_SECONDS = 60.0


class LabelStudioApiError(Exception):
    """Label Studio refused, or could not be reached."""


class LabelStudioApi:
    """A Label Studio at `url`, spoken to with a legacy token or a personal access token."""

    def __init__(self, url: str, api_key: str) -> None:
        self._url = url.rstrip("/")
        self._api_key = api_key
        self._authorization = "" if _is_personal(api_key) else f"Token {api_key}"

    def label_config(self, project_id: int) -> str:
        """Return the XML of a project's labelling interface."""
        return str(self._call("GET", f"/api/projects/{project_id}/")["label_config"])

    def open_task_ids(self, project_id: int) -> Iterator[int]:
        """Yield the ids of tasks that nobody annotated or skipped, in order.

        All pages are read before the first is yielded, so that answering a task moves none of them.
        """
        query = {"project": project_id, "page_size": _PAGE_SIZE, "fields": "task_only"}
        tasks: list[Json] = []
        total, page = 1, 1
        while (page - 1) * _PAGE_SIZE < total:
            answer = self._call("GET", f"/api/tasks?{urlencode(query | {'page': page})}")
            tasks += cast("list[Json]", answer["tasks"])
            total, page = cast("int", answer["total"]), page + 1
        for task in tasks:
            if not task.get("total_annotations") and not task.get("cancelled_annotations"):
                yield cast("int", task["id"])

    def task(self, task_id: int) -> Json:
        """Return a task with its data and predictions."""
        return self._call("GET", f"/api/tasks/{task_id}/")

    def annotate(self, task_id: int, *, result: list[Json], lead_time_seconds: float) -> None:
        """Submit an annotation."""
        self._call("POST", f"/api/tasks/{task_id}/annotations/", {"result": result, "lead_time": lead_time_seconds})

    def _call(self, method: str, path: str, body: Json | None = None) -> Json:
        """Return the answer's object; an access token that ran out is renewed once."""
        if not self._authorization:
            self._renew()
        try:
            return self._send(method, path, body)
        except HTTPError as error:
            if error.code != 401 or not _is_personal(self._api_key):
                raise LabelStudioApiError(_words(method, path, error)) from None
        self._renew()
        try:
            return self._send(method, path, body)
        except HTTPError as error:
            raise LabelStudioApiError(_words(method, path, error)) from None

    def _renew(self) -> None:
        """Exchange the personal access token for one that lives five minutes."""
        self._authorization = ""
        try:
            answer = self._send("POST", "/api/token/refresh/", {"refresh": self._api_key})
        except HTTPError as error:
            raise LabelStudioApiError(_words("POST", "/api/token/refresh/", error)) from None
        self._authorization = f"Bearer {answer['access']}"

    def _send(self, method: str, path: str, body: Json | None) -> Json:
        headers = {"Content-Type": "application/json"}
        if self._authorization:
            headers["Authorization"] = self._authorization
        content = None if body is None else json.dumps(body).encode()
        request = Request(f"{self._url}{quote(path, safe='/?=&')}", data=content, headers=headers, method=method)
        try:
            with urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:
                return cast("Json", json.loads(answer.read()))
        except HTTPError:
            raise
        except (URLError, OSError, ValueError) as error:
            raise LabelStudioApiError(f"Label Studio must answer at {self._url}, got {error}") from None


def _words(method: str, path: str, error: HTTPError) -> str:
    detail = error.read(300).decode(errors="replace")
    return f"Label Studio must accept {method} {path}, got {error.code}: {detail}"


def _is_personal(api_key: str) -> bool:
    """Return whether it is a personal access token: a JSON Web Token, while a legacy token is 40 hex digits."""
    head = api_key.split(".", maxsplit=1)[0]
    try:
        return api_key.count(".") == 2 and b'"alg"' in base64.urlsafe_b64decode(head + "=" * (-len(head) % 4))
    except binascii.Error:
        return False
