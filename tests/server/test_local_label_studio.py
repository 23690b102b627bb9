import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from queue_server import local_label_studio
from queue_server.errors import ProcessError
from queue_server.local_label_studio import LocalLabelStudio, find_command, find_template, is_template_for
from queue_server.processes import free_port, is_port_free, process_identity

ROOT = Path(__file__).parents[2]
CONFIG = """
<View><Image name="image" value="$image"/>
<RectangleLabels name="label" toName="image"><Label value="pill"/></RectangleLabels></View>
"""
#: answers like Label Studio and says that it moved to another port, as it does when another process was faster
MOVING = """#!{python}
import http.server, sys
print("* Trying to start at 1234", flush=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[-1])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""


def api(server: LocalLabelStudio) -> httpx.Client:
    return httpx.Client(base_url=server.url, headers={"Authorization": f"Token {server.api_key}"}, timeout=30)


def task_with_a_box(label: str) -> dict[str, object]:
    value = {"x": 1, "y": 1, "width": 5, "height": 5, "rotation": 0, "rectanglelabels": [label]}
    region = {"id": "a", "from_name": "label", "to_name": "image", "type": "rectanglelabels", "value": value}
    sizes = {"original_width": 100, "original_height": 100, "image_rotation": 0}
    return {"data": {"image": "http://x/1.jpg"}, "predictions": [{"model_version": "m", "result": [region | sizes]}]}


@dataclass(frozen=True, kw_only=True, slots=True)
class Successor:
    """A server on the data of one whose owner forgot it."""

    server: LocalLabelStudio
    old_pid: int
    old_api_key: str


@pytest.fixture(scope="module")
def successor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Successor]:
    folder = tmp_path_factory.mktemp("successor")
    with LocalLabelStudio(folder) as old:
        with api(old) as client:
            client.post("/api/projects", json={"title": "kept"}).raise_for_status()
        with LocalLabelStudio(folder) as server:
            yield Successor(server=server, old_pid=old.pid, old_api_key=old.api_key)


@pytest.fixture
def moving_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "label-studio"
    program.write_text(MOVING.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv(local_label_studio.COMMAND_VARIABLE, str(program))


def test_api_key_belongs_to_the_account(label_studio: LocalLabelStudio) -> None:
    with api(label_studio) as client:
        assert client.get("/api/current-user/whoami").json()["email"] == label_studio.email


def test_person_can_log_in_with_email_and_password(label_studio: LocalLabelStudio) -> None:
    with httpx.Client(base_url=label_studio.url, timeout=30) as client:
        client.get("/user/login/")
        form = {"email": label_studio.email, "password": label_studio.password}
        client.post("/user/login/", data=form | {"csrfmiddlewaretoken": client.cookies["csrftoken"]})
        assert client.get("/api/current-user/whoami").status_code == 200


def test_prediction_that_does_not_fit_the_label_config_is_refused(label_studio: LocalLabelStudio) -> None:
    with api(label_studio) as client:
        project = client.post("/api/projects", json={"title": "validation", "label_config": CONFIG}).json()["id"]
        statuses = [
            client.post(f"/api/projects/{project}/import", json=[task_with_a_box(label)]).status_code
            for label in ("pill", "no such label")
        ]
    assert statuses == [201, 400]


def test_server_of_a_killed_owner_is_stopped_by_the_next(successor: Successor) -> None:
    assert process_identity(successor.old_pid) is None
    assert httpx.get(f"{successor.server.url}/health").status_code == 200


def test_data_and_account_outlive_a_server(successor: Successor) -> None:
    assert successor.server.api_key == successor.old_api_key
    with api(successor.server) as client:
        assert [project["title"] for project in client.get("/api/projects").json()["results"]] == ["kept"]


def test_second_start_without_a_stop_is_refused(label_studio: LocalLabelStudio) -> None:
    with pytest.raises(ProcessError, match="must be stopped before it is started"):
        label_studio.start()


def test_port_that_is_taken_is_refused(label_studio: LocalLabelStudio, tmp_path: Path) -> None:
    port = int(label_studio.url.rpartition(":")[2])
    with pytest.raises(ProcessError, match=f"port {port} must be free for Label Studio"):
        LocalLabelStudio(tmp_path / "data", port=port).start()


@pytest.mark.usefixtures("moving_command")
def test_server_that_moved_to_another_port_is_given_up(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "data" / "health").mkdir(parents=True)
    with pytest.raises(ProcessError, match=f"must get port {port}, but it was taken 3 times"):
        LocalLabelStudio(tmp_path / "data", port=port).start()
    assert is_port_free(port)


@pytest.mark.usefixtures("moving_command")
def test_server_that_does_not_answer_is_stopped(tmp_path: Path) -> None:
    server = LocalLabelStudio(tmp_path / "data", port=free_port(), ready_seconds=0.5)
    with pytest.raises(ProcessError, match=r"Label Studio must answer at .*/health within 0\.5 s"):
        server.start()
    assert server.pid is None
    assert not server.pid_file.exists()


@pytest.mark.parametrize("name", ["url", "api_key", "email", "password"])
def test_nothing_is_known_before_the_start(tmp_path: Path, name: str) -> None:
    with pytest.raises(ProcessError, match="must be started before it has an"):
        getattr(LocalLabelStudio(tmp_path), name)


def test_credentials_are_private(label_studio: LocalLabelStudio) -> None:
    file = label_studio.data_dir / "credentials.json"
    assert file.stat().st_mode & 0o077 == 0
    assert json.loads(file.read_text())["api_key"] == label_studio.api_key


def test_program_named_by_the_environment_must_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(local_label_studio.COMMAND_VARIABLE, "/no/such/label-studio")
    with pytest.raises(ProcessError, match="LOOKSWRONG_LABEL_STUDIO_COMMAND must name a program, got /no/such"):
        find_command()


def test_missing_label_studio_is_explained_without_any_package_installed(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "queue_server", tmp_path / "queue_server", ignore=shutil.ignore_patterns("__pycache__"))
    program = "from queue_server import local_label_studio; local_label_studio.find_command()"
    asked = subprocess.run(
        [sys._base_executable, "-S", "-c", program],
        cwd=tmp_path,
        env={"PATH": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "ProcessError: Label Studio must be installed, found none: run `python3 scripts/setup.py" in asked.stderr


def test_half_made_template_is_not_used(tmp_path: Path) -> None:
    template = tmp_path / "template-data"
    template.mkdir()
    assert find_template(tmp_path / "bin" / "label-studio") is None
    (template / "template.key").write_text("lock 1")
    assert find_template(tmp_path / "bin" / "label-studio") == template
    assert [is_template_for(template, key=key) for key in ("lock 1", "lock 2")] == [True, False]


def test_database_other_than_postgresql_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProcessError, match="database_url must be postgresql://…, got mysql://…"):
        LocalLabelStudio(tmp_path, database_url="mysql://root@localhost/label").start()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql:///label", ["label", "", "", "127.0.0.1", "5432"]),
        ("postgresql+psycopg://lw:p%40ss@db:6543/label", ["label", "lw", "p@ss", "db", "6543"]),
    ],
)
def test_database_url_becomes_label_studios_variables(url: str, expected: list[str]) -> None:
    environment = local_label_studio._database_environment(url)
    names = ("NAME", "USER", "PASSWORD", "HOST", "PORT")
    assert [environment[f"POSTGRE_{name}"] for name in names] == expected
    assert environment["DJANGO_DB"] == "default"
