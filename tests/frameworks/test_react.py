"""The recipes for React with React itself: their types hold, and what a user says arrives."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.frameworks.recipes import blocks
from tests.frameworks.stand_in import ROOT, SAMPLE, StandIn, wait_until

TOOLS = ("esbuild@0.28.2", "typescript@7.0.2")
PACKAGES = {
    19: ("react@19.2.0", "react-dom@19.2.0", "@types/react@19.2.2", "@types/react-dom@19.2.2"),
    18: ("react@18.3.1", "react-dom@18.3.1", "@types/react@18.3.26", "@types/react-dom@18.3.7"),
}
APP = f"""
import {{ createRoot }} from "react-dom/client";
import {{ Feedback }} from "./Feedback";

const heard: string[] = [];
Object.assign(globalThis, {{ heard }});
const props = {{ sample: "{SAMPLE}", token: "t", endpoint: "", count: 3 }};
const feedback = <Feedback {{...props}} onFeedbackSent={{(said) => heard.push(said.verdict)}} />;
createRoot(document.getElementById("root")!).render(feedback);
"""
WRONG = """import "looks-wrong/react";
export const one = <looks-wrong token="t" />;
export const two = <looks-wrong sample="s" token="t" mode="always" />;
export const three = <looks-wrong sample="s" token="t" count={{}} />;
"""
STRICT = (
    "--noEmit",
    "--strict",
    "--target",
    "es2022",
    "--jsx",
    "react-jsx",
    "--moduleResolution",
    "bundler",
    "--module",
    "es2022",
)


def refuse(reason: str) -> None:
    """Skip with the reason; in CI nothing may be missing."""
    pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)


def install(folder: Path, packages: tuple[str, ...]) -> None:
    folder.mkdir()
    (folder / "package.json").write_text("{}")
    if shutil.which("npm") is None:
        refuse("npm must be on the path to test with React itself")
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *packages]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if ran.returncode:
        refuse(f"npm must reach its registry to test with React itself: {ran.stderr[-200:]}")


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundler and the type checker; the folder of their programs."""
    folder = tmp_path_factory.mktemp("react") / "tools"
    install(folder, TOOLS)
    return folder / "node_modules" / ".bin"


@dataclass(frozen=True, kw_only=True)
class Project:
    """An app of the recipe, and how to run a tool in it."""

    folder: Path
    tools: Path

    def run(self, tool: str, *arguments: str) -> str:
        command = [str(self.tools / tool), *arguments]
        ran = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        return "" if ran.returncode == 0 else ran.stdout + ran.stderr


@pytest.fixture(scope="module", params=[19, 18])
def project(request: pytest.FixtureRequest, tools: Path) -> Project:
    folder = tools.parents[2] / f"react{request.param}"
    install(folder, PACKAGES[request.param])
    shutil.copytree(ROOT / "widgets", folder / "node_modules" / "looks-wrong")
    (folder / "Feedback.tsx").write_text(blocks("React", "tsx")[19 - request.param])
    (folder / "main.tsx").write_text(APP)
    (folder / "index.html").write_text(
        '<!doctype html><div id="root"></div><script type="module" src="app.js"></script>'
    )
    return Project(folder=folder, tools=tools)


def test_the_recipe_fits_the_types(project: Project) -> None:
    assert project.run("tsc", *STRICT, "main.tsx") == ""


def test_a_wrong_attribute_is_an_error_of_types(project: Project) -> None:
    (project.folder / "Wrong.tsx").write_text(WRONG)
    told = project.run("tsc", *STRICT, "Wrong.tsx")
    assert re.findall(r"^Wrong\.tsx\((\d+),", told, re.MULTILINE) == ["2", "3", "4"]


@pytest.fixture
def shown(project: Project, browser: Browser) -> Iterator[tuple[Page, StandIn]]:
    told = project.run("esbuild", "main.tsx", "--bundle", "--format=esm", "--jsx=automatic", "--outfile=app.js")
    assert (project.folder / "app.js").exists(), told
    server, page = StandIn(project.folder), browser.new_page()
    page.goto(server.url)
    yield page, server
    page.close()
    server.stop()


def test_an_answer_arrives_and_the_app_hears_it(shown: tuple[Page, StandIn]) -> None:
    page, server = shown
    page.click("text=Looks right")
    page.wait_for_function("heard.length === 1")
    assert page.evaluate("heard") == ["confirmed"]
    assert [(said["sample_id"], said["verdict"]) for said in server.feedback] == [(SAMPLE, "confirmed")]


def test_the_count_and_the_labels_are_those_of_the_app(shown: tuple[Page, StandIn]) -> None:
    page, server = shown
    page.click("text=Looks wrong")
    expect(page.locator("[name=count]")).to_have_value("3")
    page.get_by_label("A pill").check()
    page.click("looks-wrong [part~=send]")
    wait_until(lambda: len(server.feedback) == 2)
    assert server.feedback[-1]["correction"] == {"label": "pill"}
