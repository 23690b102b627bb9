"""Spots and boxes on an image arrive in the image's own pixels, however it is shown."""

import io
from collections.abc import Callable

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page

from tests.widgets.conftest import Visit, until
from tests.widgets.site import Site, element

WIDE, HIGH = 800, 600
LABELS = """labels='[{"value": "pill", "label": "Pill"}, {"value": "capsule", "label": "Capsule"}]'"""
#: its style, and where its pixels (0, 0) and (WIDE, HIGH) are drawn, from the corner of what the browser lays out
SHOWN = {
    "half size": ("width: 400px", (0, 0), (400, 300)),
    "fill": ("width: 400px; height: 100px; object-fit: fill", (0, 0), (400, 100)),
    "contain, bars at the sides": ("width: 400px; height: 150px; object-fit: contain", (100, 0), (300, 150)),
    "contain, bars above": ("width: 200px; height: 250px; object-fit: contain", (0, 50), (200, 200)),
    "contain at a corner": (
        "width: 400px; height: 150px; object-fit: contain; object-position: right top",
        (200, 0),
        (400, 150),
    ),
    "contain, moved by px": (
        "width: 400px; height: 150px; object-fit: contain; object-position: 30px 0",
        (30, 0),
        (230, 150),
    ),
    "cover": ("width: 200px; height: 300px; object-fit: cover", (-100, 0), (300, 300)),
    "none": ("width: 400px; height: 300px; object-fit: none", (-200, -150), (600, 450)),
    "scale-down": ("width: 400px; height: 400px; object-fit: scale-down", (0, 50), (400, 350)),
    "frame and padding": (
        "width: 440px; height: 340px; box-sizing: border-box; border: 5px solid; padding: 15px",
        (20, 20),
        (420, 320),
    ),
    "a scaled ancestor": ("width: 800px", (0, 0), (400, 300)),
}


def photo(*, orientation: int | None = None) -> bytes:
    """Return a JPEG that is WIDE by HIGH once it is upright."""
    size = (HIGH, WIDE) if orientation == 6 else (WIDE, HIGH)
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    buffer = io.BytesIO()
    Image.new("RGB", size, "#cccccc").save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


def open_photo(
    visit: Visit, site: Site, style: str = "width: 400px", *, extra: str = LABELS, more: str = "", after: str = ""
) -> Page:
    """Open a page with the photo, and start to mark."""
    site.files.setdefault("/photo.jpg", photo())
    scaled = ".small { transform: scale(.5); transform-origin: 0 0; margin-bottom: -300px }"
    site.files["/photo.css"] = f"img {{ display: block; {style} }} {scaled}".encode()
    head = '<link rel="stylesheet" href="/photo.css">'
    small = "small" if style == SHOWN["a scaled ancestor"][0] else "plain"
    body = f'{more}<div class="{small}"><img id="photo" src="/photo.jpg" alt="pills"></div>'
    page = visit.open(body + element(f'correct="image" image="#photo" {extra}') + after, head=head)
    page.wait_for_function("document.images[0].complete")
    page.get_by_role("button", name="Looks wrong").click()
    page.get_by_role("button", name="Mark on the image").click()
    page.get_by_role("button", name="Add a mark").wait_for()
    page.wait_for_timeout(60)
    return page


def corner(page: Page) -> tuple[float, float]:
    box = page.locator("#photo").bounding_box()
    assert box
    return box["x"], box["y"]


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    x, y = corner(page)
    page.mouse.move(x + start[0], y + start[1])
    page.mouse.down()
    page.mouse.move(x + end[0], y + end[1], steps=4)
    page.mouse.up()


def tap(page: Page, at: tuple[float, float]) -> None:
    drag(page, at, at)


def sent(page: Page, site: Site) -> dict:
    """Send what was marked, and return the correction that came."""
    page.get_by_role("button", name="Send").click()
    until(lambda: any(post["verdict"] == "corrected" for post in site.posts), page=page)
    return site.posts[-1]["correction"]


def marks(page: Page) -> Locator:
    return page.get_by_role("button", name="Marked")


def test_without_a_mark_nothing_is_corrected(visit: Visit, site: Site) -> None:
    page = open_photo(visit, site)
    page.get_by_role("button", name="Send").click()
    page.wait_for_timeout(100)
    assert site.verdicts == ["rejected"]


@pytest.mark.parametrize("shown", SHOWN)
def test_spots_and_boxes_are_in_the_images_pixels(visit: Visit, site: Site, shown: str) -> None:
    style, zero, end = SHOWN[shown]
    page = open_photo(visit, site, style)

    def place(x: float, y: float) -> tuple[float, float]:
        return zero[0] + x / WIDE * (end[0] - zero[0]), zero[1] + y / HIGH * (end[1] - zero[1])

    tap(page, place(480, 360))
    drag(page, place(300, 200), place(400, 340))
    found = sent(page, site)
    assert found["image_size"] == [WIDE, HIGH]
    ((spot,), (box,)) = found["points"], found["boxes"]
    assert [spot["x"], spot["y"]] == pytest.approx([480, 360], abs=4)
    assert [box[name] for name in ("x_min", "y_min", "x_max", "y_max")] == pytest.approx([300, 200, 400, 340], abs=4)
    assert (box["action"], box["label"]) == ("add", "pill")


def test_a_rotated_photo_is_marked_as_it_is_seen(visit: Visit, site: Site) -> None:
    site.files["/photo.jpg"] = photo(orientation=6)
    page = open_photo(visit, site, "width: 400px; height: 400px; object-fit: contain")
    tap(page, (100, 50 + 75))
    found = sent(page, site)
    assert found["image_size"] == [WIDE, HIGH]
    assert [found["points"][0]["x"], found["points"][0]["y"]] == pytest.approx([200, 150], abs=2)


@pytest.mark.parametrize("layout", ["inline", "popover"])
def test_marks_follow_a_page_that_scrolls(visit: Visit, site: Site, layout: str) -> None:
    page = open_photo(visit, site, extra=f'{LABELS} layout="{layout}"', more="<br>" * 30)
    page.mouse.wheel(0, 150)
    page.wait_for_timeout(150)
    tap(page, (100, 50))
    box = marks(page).bounding_box()
    x, y = corner(page)
    assert box
    assert (box["x"] + 11 - x, box["y"] + 11 - y) == pytest.approx((100, 50), abs=2)
    assert sent(page, site)["points"] == [{"x": 200, "y": 100}]


def test_a_mark_is_dragged_to_its_place(visit: Visit, site: Site) -> None:
    page = open_photo(visit, site)
    tap(page, (50, 50))
    drag(page, (50, 50), (150, 100))
    drag(page, (200, 200), (300, 280))
    drag(page, (250, 240), (900, 900))
    found = sent(page, site)
    assert found["points"] == [{"x": 300, "y": 200}]
    assert [found["boxes"][0][name] for name in ("x_min", "y_min", "x_max", "y_max")] == [600, 440, 800, 600]


def test_a_box_may_be_drawn_from_any_corner(visit: Visit, site: Site) -> None:
    page = open_photo(visit, site)
    drag(page, (300, 200), (-20, 100))
    box = sent(page, site)["boxes"][0]
    assert [box[name] for name in ("x_min", "y_min", "x_max", "y_max")] == [0, 200, 600, 400]


def test_a_box_has_the_label_that_is_chosen(visit: Visit, site: Site) -> None:
    page = open_photo(visit, site)
    page.get_by_label("Capsule").check()
    page.wait_for_timeout(60)
    drag(page, (10, 10), (60, 60))
    found = sent(page, site)
    assert ([box["label"] for box in found["boxes"]], "label" in found) == (["capsule"], False)


def test_without_labels_a_drag_moves_a_spot(visit: Visit, site: Site) -> None:
    page = open_photo(visit, site, extra="")
    drag(page, (50, 50), (100, 100))
    found = sent(page, site)
    assert (found["points"], found["boxes"]) == ([{"x": 200, "y": 200}], [])


def test_marking_by_keyboard_alone(visit: Visit, site: Site) -> None:
    page = open_photo(visit, site)
    page.get_by_role("button", name="Add a mark").press("Enter")
    for key in ("ArrowRight", "ArrowUp", "x"):
        page.keyboard.press(key)
    page.get_by_role("button", name="Add a mark").press("Enter")
    for key in ("ArrowLeft", "Shift+ArrowRight", "Shift+ArrowDown", "Shift+ArrowDown"):
        page.keyboard.press(key)
    found = sent(page, site)
    assert found["points"] == [{"x": 408, "y": 292}]
    assert [found["boxes"][0][name] for name in ("x_min", "y_min", "x_max", "y_max")] == [392, 300, 400, 317]


def _press_delete(page: Page) -> None:
    page.keyboard.press("Delete")


def _tap_remove(page: Page) -> None:
    page.get_by_role("button", name="Remove").click()


@pytest.mark.parametrize("remove", [_press_delete, _tap_remove])
def test_a_mark_is_removed(visit: Visit, site: Site, remove: Callable[[Page], None]) -> None:
    page = open_photo(visit, site)
    tap(page, (50, 50))
    tap(page, (100, 100))
    remove(page)
    assert sent(page, site)["points"] == [{"x": 100, "y": 100}]


def test_marks_are_told_to_a_screen_reader(visit: Visit, site: Site) -> None:
    page = open_photo(visit, site)
    tap(page, (50, 50))
    assert marks(page).get_attribute("aria-label") == "Marked 100 100"
    assert page.evaluate("document.querySelector('looks-wrong').shadowRoot.activeElement.className") == "spot"


def test_more_marks_than_fit_into_a_body_are_not_made(visit: Visit, site: Site) -> None:
    page = open_photo(visit, site)
    for index in range(27):
        x, y = 10 + index % 7 * 55, 10 + index // 7 * 70
        drag(page, (x, y), (x + 20, y + 20))
    page.get_by_label("Comment").fill("字" * 500)
    found = sent(page, site)
    assert (len(found["boxes"]), site.posts[-1]["comment"]) == (25, "字" * 500)
    assert site.posts[-1]["body_bytes"] <= 4096


def test_closing_keeps_the_marks_and_undo_drops_them(visit: Visit, site: Site) -> None:
    page = open_photo(visit, site)
    tap(page, (50, 50))
    page.keyboard.press("Escape")
    assert not marks(page).is_visible()
    page.get_by_role("button", name="Looks wrong").click()
    assert marks(page).count() == 1
    page.get_by_role("button", name="Undo").click()
    assert marks(page).count() == 0


def test_a_canvas_given_as_a_property_can_be_marked(visit: Visit, site: Site) -> None:
    page = visit.open('<canvas width="200" height="100"></canvas>' + element('correct="image"'))
    page.evaluate("document.querySelector('looks-wrong').image = document.querySelector('canvas')")
    page.get_by_role("button", name="Looks wrong").click()
    page.get_by_role("button", name="Mark on the image").click()
    page.get_by_role("button", name="Add a mark").click()
    assert sent(page, site) == {"image_size": [200, 100], "points": [{"x": 100, "y": 50}], "boxes": []}


def test_an_image_that_is_not_there_is_not_offered(visit: Visit) -> None:
    page = visit.open(element('correct="image" image="#nothing"'))
    page.get_by_role("button", name="Looks wrong").click()
    assert page.get_by_role("button", name="Mark on the image").count() == 0


def test_marking_that_cannot_be_loaded_says_so_and_may_be_tried_again(visit: Visit, site: Site) -> None:
    page = visit.open('<img id="photo" src="/photo.jpg" alt="">' + element('correct="image" image="#photo"'))
    page.get_by_role("button", name="Looks wrong").click()
    visit.context.set_offline(True)
    page.get_by_role("button", name="Mark on the image").click()
    button = page.get_by_role("button", name="That did not work")
    button.wait_for()
    assert button.is_enabled()


def test_on_a_small_screen_the_popover_leaves_the_image_free(new_visit: Callable[..., Visit], site: Site) -> None:
    visit = new_visit(viewport={"width": 320, "height": 640}, has_touch=True, is_mobile=True)
    page = open_photo(
        visit, site, "width: 240px", extra=f'{LABELS} layout="popover"', more="<br>" * 30, after="<br>" * 30
    )
    photo_box, panel = page.locator("#photo").bounding_box(), page.get_by_role("form").bounding_box()
    assert photo_box
    assert panel
    assert (photo_box["y"] >= -1, photo_box["y"] + photo_box["height"] <= panel["y"]) == (True, True)
