"""The simulated users, and the simulated annotator in a real Label Studio."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import Request
from uuid import uuid4

import pytest

from examples.pill_counter import annotate, simulate
from examples.pill_counter.label_studio_api import LabelStudioApi, LabelStudioApiError
from examples.pill_counter.matching import match
from examples.pill_counter.regions import LabelConfigError, Truth, box_control, corrected
from examples.pill_counter.users import Outcome, answer
from feedback_sdk import Box, BoxCorrection, Correction, Point, Prediction, Task, Verdict
from feedback_sdk.wire import to_wire
from queue_server.core.label_config import label_config, own_controls
from queue_server.core.label_studio_json import pre_annotation
from queue_server.core.proposals import Proposal, UserVerdict
from queue_server.local_label_studio import LocalLabelStudio
from tests.e2e import pill_counting
from tests.e2e.pill_counting import box, predicted
from tests.sdk.stand_in import KEY, Server

SIZE = (100, 80)
CONFIG = label_config(task=Task.DETECTION, labels=["pill", "capsule"])
CONTROL = box_control(CONFIG)


def answers(prediction: Prediction, truth: list[Box] | None, *, number: int = 400) -> list:
    return [answer(f"sample-{index}", prediction, truth=truth) for index in range(number)]


def share(given: list, outcome: Outcome) -> float:
    return sum(one.outcome is outcome for one in given) / len(given)


@pytest.mark.parametrize(
    ("prediction", "truth", "shares"),
    [
        (predicted(), [], {Outcome.CONFIRMED: 0.7, Outcome.IGNORED: 0.3}),
        (predicted(box(0, 0)), [box(0, 0)], {Outcome.CONFIRMED: 0.7, Outcome.IGNORED: 0.3}),
        (predicted(), [box(0, 0)], {Outcome.REJECTED: 0.35, Outcome.CORRECTED: 0.35, Outcome.IGNORED: 0.3}),
        (predicted(), None, {Outcome.CONFIRMED: 0.25, Outcome.REJECTED: 0.25, Outcome.IGNORED: 0.5}),
    ],
)
def test_users_answer_in_their_shares(prediction: Prediction, truth: list[Box] | None, shares: dict) -> None:
    given = answers(prediction, truth)
    assert given == answers(prediction, truth)
    for outcome in Outcome:
        assert share(given, outcome) == pytest.approx(shares.get(outcome, 0.0), abs=0.08)


def test_users_correct_counts_spots_and_boxes() -> None:
    truth = [box(0, 0), box(40, 40)]
    given = [one.correction for one in answers(predicted(box(2, 0), box(80, 60), box(60, 0)), truth) if one.correction]
    assert all(correction.count == 2 for correction in given)
    assert any(correction.points for correction in given)
    assert any(correction.boxes for correction in given)
    assert any(not correction.points and not correction.boxes for correction in given)


def test_a_users_boxes_turn_the_prediction_into_the_truth() -> None:
    said = predicted(box(4, 0), box(80, 60), box(20, 20))
    truth = [box(0, 0), box(20, 20), box(40, 40), box(60, 60)]
    changes = next(one.correction.boxes for one in answers(said, truth) if one.correction and one.correction.boxes)
    boxes = dict(enumerate(said.boxes))
    for change in changes:
        if change.action == "remove":
            del boxes[change.target]
            continue
        place = Box(label=change.label, x_min=change.x_min, y_min=change.y_min, x_max=change.x_max, y_max=change.y_max)
        boxes[len(boxes) + 10 if change.target is None else change.target] = place
    assert len(match(list(boxes.values()), truth, at_least=0.99)) == len(boxes) == len(truth)


def test_users_mark_the_middle_of_what_was_missed() -> None:
    given = answers(predicted(box(0, 0)), [box(0, 0), box(40, 40)])
    spots = {one.correction.points for one in given if one.correction and one.correction.points}
    assert spots == {(Point(x=45.0, y=45.0),)}


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("model") / "v1"
    pill_counting.model().save(file)
    return file


@pytest.fixture
def server() -> Iterator[Server]:
    with pill_counting.queue_server() as running:
        yield running


def run_simulate(model: Path, url: str, folder: Path, *more: str) -> tuple[int, dict]:
    arguments = ["--model", str(model), "--samples", "5", "--url", url, "--api-key", KEY]
    status = simulate.main([*arguments, "--spool-dir", str(folder / "spool"), "--json", str(folder / "r"), *more])
    return status, json.loads((folder / "r").read_text()) if status == 0 else {}


def test_simulate_sends_every_sample_with_its_users_answer(model_file: Path, server: Server, tmp_path: Path) -> None:
    status, report = run_simulate(model_file, server.url, tmp_path)
    assert (status, report["samples"], report["delivered"]) == (0, 5, True)
    assert set(report["truth"]) == set(server.samples)
    verdicts = [json.loads(text)["verdict"] for text in server.feedback.values()]
    said = {outcome: number for outcome, number in report["feedback"].items() if outcome != "ignored"}
    assert {outcome: verdicts.count(outcome) for outcome in said} == said
    assert sum(report["feedback"].values()) == 5


def test_simulated_samples_are_described(model_file: Path, server: Server, tmp_path: Path) -> None:
    run_simulate(model_file, server.url, tmp_path)
    sample = json.loads(next(iter(server.samples.values()))[0])
    assert set(sample["metadata"]) == {"device", "pharmacy", "light"}
    assert sample["subject"].startswith("tray-")
    assert sample["stream"] == sample["metadata"]["device"]
    assert sample["prediction"]["task"] == "detection"


def test_a_second_simulation_sends_the_same_bytes(model_file: Path, server: Server, tmp_path: Path) -> None:
    assert run_simulate(model_file, server.url, tmp_path)[0] == 0
    first, server.arrivals[:] = sorted(server.arrivals), []
    # other content under the same id would be refused, and the status say so
    assert run_simulate(model_file, server.url, tmp_path)[0] == 0
    assert sorted(server.arrivals) == first
    assert len(server.samples) == 5


def test_photos_without_truth_have_none_in_the_report(model_file: Path, server: Server, tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for number, tray in enumerate(pill_counting.trays(12)[:4]):
        (images / f"{number}.jpg").write_bytes(tray.image_bytes)
    status, report = run_simulate(model_file, server.url, tmp_path, "--images", str(images))
    assert status == 0
    assert set(report["truth"].values()) == {None}
    assert len(server.samples) == 5


def test_simulate_says_what_was_not_delivered(
    model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _ = run_simulate(model_file, "http://127.0.0.1:9", tmp_path, "--timeout", "0.5")
    assert status == 1
    assert "must take everything within 0.5 s" in capsys.readouterr().err


def test_simulate_says_what_the_server_refused(
    model_file: Path, server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.faults |= {"/v1/samples/batch": 422, "/v1/samples": 422}
    status, _ = run_simulate(model_file, server.url, tmp_path)
    assert status == 1
    assert "refusals: {'quarantined': 5}" in capsys.readouterr().err


def proposal(*verdicts: UserVerdict, sample_id: str = "s", prediction: Prediction | None = None) -> dict:
    """Return the task that the queue server pushes."""
    said = prediction or predicted(box(0, 0), box(30, 0), box(60, 0))
    full = Proposal(
        sample_id=sample_id,
        image_url="http://127.0.0.1/image.jpg",
        width=SIZE[0],
        height=SIZE[1],
        prediction=said,
        verdicts=verdicts,
        reason="user_rejected",
    )
    return pre_annotation(full, controls=own_controls(Task.DETECTION))


def regions(task: dict) -> list[dict]:
    return task["predictions"][0]["result"]


def places(result: list[dict]) -> list[tuple]:
    """Return (label, corners in px) of every box of a result list."""
    found = []
    for region in result:
        if region["type"] == "rectanglelabels":
            value, (width, height) = region["value"], SIZE
            x, y = value["x"] * width / 100, value["y"] * height / 100
            corner = (x + value["width"] * width / 100, y + value["height"] * height / 100)
            found.append((value["rectanglelabels"][0], *(round(edge, 6) for edge in (x, y, *corner))))
    return sorted(found)


def wanted(*boxes: Box) -> list[tuple]:
    return sorted((one.label, one.x_min, one.y_min, one.x_max, one.y_max) for one in boxes)


@pytest.mark.parametrize(
    "truth",
    [
        (),
        (box(0, 0),),
        (box(0, 0), box(30, 0), box(60, 0)),
        (box(1, 1, label="capsule"), box(30, 50), box(62, 0)),
    ],
)
def test_a_corrected_result_is_the_truth(truth: tuple[Box, ...]) -> None:
    result = corrected(regions(proposal()), Truth(boxes=truth, image_size=SIZE), control=CONTROL)
    assert places(result) == wanted(*truth)


def test_a_kept_box_keeps_its_id_and_a_missed_one_gets_its_own() -> None:
    truth = Truth(boxes=(box(31, 0), box(80, 60)), image_size=SIZE)
    result = corrected(regions(proposal()), truth, control=CONTROL)
    assert result[0]["id"] == "m1"
    assert result[1]["id"] not in {"m0", "m1", "m2"}
    assert (result[1]["from_name"], result[1]["to_name"]) == (CONTROL.from_name, CONTROL.to_name)


def test_a_spot_that_a_user_marked_becomes_the_box_that_was_missed() -> None:
    marked = UserVerdict(
        verdict=Verdict.CORRECTED, correction=Correction(points=[Point(x=85, y=65)], image_size=SIZE), reporter="u"
    )
    pushed = regions(proposal(marked))
    assert {region["type"] for region in pushed} > {"rectanglelabels"}
    truth = Truth(boxes=(box(0, 0), box(30, 0), box(60, 0), box(80, 60)), image_size=SIZE)
    result = corrected(pushed, truth, control=CONTROL)
    assert places(result) == wanted(*truth.boxes)
    assert "keypointlabels" not in {region["type"] for region in result}


def test_a_box_that_a_user_removed_wrongly_comes_back() -> None:
    removal = Correction(boxes=[BoxCorrection(action="remove", target=0)], image_size=SIZE)
    pushed = regions(proposal(UserVerdict(verdict=Verdict.CORRECTED, correction=removal, reporter="u")))
    assert any(region["value"].get("choices") == ["user_removed"] for region in pushed)
    truth = Truth(boxes=(box(0, 0), box(30, 0), box(60, 0)), image_size=SIZE)
    result = corrected(pushed, truth, control=CONTROL)
    assert places(result) == wanted(*truth.boxes)
    assert all("user_removed" not in region["value"].get("choices", []) for region in result)


def test_a_labelling_interface_without_boxes_is_refused() -> None:
    with pytest.raises(LabelConfigError, match="RectangleLabels"):
        box_control("<View><Image name='image' value='$image'/></View>")


@pytest.fixture
def project(label_studio: LocalLabelStudio) -> Callable[[list[dict]], int]:
    """Make a Label Studio project with tasks; its id."""

    def call(path: str, body: object) -> dict:
        headers = {"Authorization": f"Token {label_studio.api_key}", "Content-Type": "application/json"}
        request = Request(f"{label_studio.url}{path}", data=json.dumps(body).encode(), headers=headers, method="POST")
        status, answer = pill_counting.call(request)
        assert status == 201, answer
        return answer

    def make(tasks: list[dict]) -> int:
        made = call("/api/projects/", {"title": f"pills {uuid4()}", "label_config": CONFIG})
        call(f"/api/projects/{made['id']}/import", tasks)
        return made["id"]

    return make


def truth_file(path: Path, truth: dict[str, list[Box] | None]) -> Path:
    entries = {
        sample_id: None if boxes is None else {"boxes": to_wire(boxes), "image_size": list(SIZE)}
        for sample_id, boxes in truth.items()
    }
    path.write_text(json.dumps({"truth": entries}))
    return path


def submitted(api: LabelStudioApi, project_id: int, label_studio: LocalLabelStudio) -> dict[str, list]:
    """Return the submitted results by sample id."""
    headers = {"Authorization": f"Token {label_studio.api_key}"}
    url = f"{label_studio.url}/api/projects/{project_id}/export?exportType=JSON"
    _, tasks = pill_counting.call(Request(url, headers=headers))
    assert not list(api.open_task_ids(project_id))
    return {task["data"]["sample_id"]: [one["result"] for one in task["annotations"]] for task in tasks}


def test_the_annotator_submits_the_truth_once(
    label_studio: LocalLabelStudio, project: Callable[[list[dict]], int], tmp_path: Path
) -> None:
    truth = {"a": [box(1, 0), box(80, 60)], "b": [], "c": None, "d": [box(5, 5)]}
    tasks = [proposal(sample_id=name) for name in "abc"] + [proposal(sample_id="d", prediction=predicted())]
    project_id = project(tasks)
    api = LabelStudioApi(label_studio.url, label_studio.api_key)
    truths = annotate.read_truths(truth_file(tmp_path / "truth", truth))
    counts = annotate.annotate(api, project_id, truths=truths)
    assert counts == {"annotated": 4, "corrected": 3, "accepted": 1, "left": 0}
    assert annotate.annotate(api, project_id, truths=truths)["annotated"] == 0
    results = submitted(api, project_id, label_studio)
    assert all(len(given) == 1 for given in results.values())
    assert places(results["c"][0]) == places(regions(tasks[2]))
    assert {name: places(results[name][0]) for name in "abd"} == {name: wanted(*truth[name]) for name in "abd"}


def test_the_annotator_leaves_what_the_inbox_hides_and_strangers(
    label_studio: LocalLabelStudio, project: Callable[[list[dict]], int], tmp_path: Path
) -> None:
    hidden = proposal(sample_id="a")
    hidden["data"]["inbox"] = "no"
    project_id = project([hidden, proposal(sample_id="stranger")])
    arguments = [
        "--label-studio-url",
        label_studio.url,
        "--api-key",
        label_studio.api_key,
        "--json",
        str(tmp_path / "r"),
    ]
    truth = truth_file(tmp_path / "truth", {"a": []})
    assert annotate.main([*arguments, "--project", str(project_id), "--truth", str(truth)]) == 0
    assert json.loads((tmp_path / "r").read_text())["left"] == 2


def test_the_annotator_reads_every_page_of_tasks(
    label_studio: LocalLabelStudio, project: Callable[[list[dict]], int]
) -> None:
    project_id = project([proposal(sample_id=str(number)) for number in range(130)])
    found = list(LabelStudioApi(label_studio.url, label_studio.api_key).open_task_ids(project_id))
    assert len(set(found)) == 130


@pytest.mark.parametrize("api_key", ["wrong", "eyJhbGciOiJIUzI1NiJ9.e30.x"])
def test_a_wrong_key_is_named(label_studio: LocalLabelStudio, api_key: str) -> None:
    with pytest.raises(LabelStudioApiError, match="got 401"):
        LabelStudioApi(label_studio.url, api_key).label_config(1)


def test_label_studio_that_is_away_is_named() -> None:
    with pytest.raises(LabelStudioApiError, match="must answer at"):
        LabelStudioApi("http://127.0.0.1:9", "key").label_config(1)


def test_a_file_that_simulate_did_not_write_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("[]")
    with pytest.raises(annotate.TruthError, match="must be one that simulate wrote"):
        annotate.read_truths(tmp_path / "t")
