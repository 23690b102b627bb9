// The page of the pill counter: choose a photo, see the boxes and the count, say whether they are right.

const at = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const STEP = 0.02; // how far an arrow key moves the aim, as a share of the photo
const NEAR = 0.03; // a tap so close to a spot takes it back

let counted = null; // the answer to /predictions
let points = [];
let aim = null;
let isOwnNumber = false; // the user typed a number: marking a spot no longer changes it
let objectUrl = null;

function show(part) {
  for (const id of ["choose", "result"]) at(id).hidden = id !== part;
  at("back").hidden = part !== "result";
  window.scrollTo(0, 0);
}

function complain(message) {
  at("problem").textContent = message ?? "";
  at("problem").hidden = !message;
  if (message) at("problem").scrollIntoView({ block: "nearest" });
}

async function post(url, body, headers) {
  let answer;
  try {
    answer = await fetch(url, { method: "POST", body, headers });
  } catch {
    throw new Error("The app cannot be reached. Please check your connection and try again.");
  }
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(said.error ?? "That did not work. Please try again.");
  return said;
}

async function count(body, source) {
  complain(null);
  at("busy").hidden = false;
  try {
    counted = await post("predictions", body);
    at("photo").src = source;
    present();
  } catch (error) {
    complain(error.message);
  } finally {
    at("busy").hidden = true;
  }
}

function present() {
  [points, aim, isOwnNumber] = [[], null, false];
  at("count").textContent = counted.count;
  at("count-word").textContent = counted.count === 1 ? "object counted" : "objects counted";
  at("version").textContent = counted.model_version;
  at("ask").hidden = counted.sample_id === null;
  at("silent").hidden = counted.sample_id !== null;
  at("correct").hidden = at("thanks").hidden = true;
  at("number").value = counted.count;
  at("comment").value = "";
  setMarking(false);
  drawLegend();
  draw();
  show("result");
  at("count-line").focus({ preventScroll: true });
}

function drawLegend() {
  const labels = [...new Set(counted.boxes.map((box) => box.label))];
  at("legend").replaceChildren(
    ...labels.map((label) => {
      const number = counted.boxes.filter((box) => box.label === label).length;
      const entry = document.createElement("span");
      entry.className = label;
      entry.textContent = `${number} ${label}${number === 1 ? "" : "s"}`;
      return entry;
    }),
  );
}

function mark(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  at("marks").append(element);
}

function draw() {
  const [width, height] = counted.image_size;
  at("marks").setAttribute("viewBox", `0 0 ${width} ${height}`);
  at("marks").replaceChildren();
  for (const box of counted.boxes) {
    const place = { x: box.x_min, y: box.y_min, width: box.x_max - box.x_min, height: box.y_max - box.y_min };
    mark("rect", { ...place, class: "box under" });
    mark("rect", { ...place, class: `box ${box.label}` });
  }
  for (const [cx, cy] of points) mark("circle", { cx, cy, r: width * NEAR * 0.8, class: "spot" });
  if (aim) {
    mark("line", { x1: aim[0], x2: aim[0], y1: 0, y2: height, class: "aim" });
    mark("line", { x1: 0, x2: width, y1: aim[1], y2: aim[1], class: "aim" });
  }
  const spots = points.length === 1 ? "1 spot marked" : `${points.length} spots marked`;
  at("spots").textContent = points.length ? spots : "No spot marked";
  at("undo").hidden = !points.length;
  if (!isOwnNumber) at("number").value = counted.count + points.length;
}

function setMarking(isOn) {
  at("stage").classList.toggle("marking", isOn);
  if (isOn) at("stage").setAttribute("tabindex", "0");
  else at("stage").removeAttribute("tabindex");
}

function toggleSpot(x, y) {
  const width = counted.image_size[0];
  const near = points.findIndex((point) => Math.hypot(point[0] - x, point[1] - y) < width * NEAR);
  if (near >= 0) points.splice(near, 1);
  else points.push([Math.round(x * 10) / 10, Math.round(y * 10) / 10]);
  draw();
}

function moveAim(dx, dy) {
  const [width, height] = counted.image_size;
  const [x, y] = aim ?? [width / 2, height / 2];
  aim = [Math.min(Math.max(x + dx * width * STEP, 0), width), Math.min(Math.max(y + dy * height * STEP, 0), height)];
  draw();
}

async function say(answer, more) {
  complain(null);
  const buttons = [at("right"), at("wrong"), at("send")];
  buttons.forEach((button) => (button.disabled = true));
  try {
    const body = JSON.stringify({ sample_id: counted.sample_id, ...answer });
    await post("feedback", body, { "Content-Type": "application/json" });
    at("ask").hidden = at("correct").hidden = true;
    setMarking(false);
    at("thanks-more").textContent = more;
    at("thanks").hidden = false;
    at("thanks").focus();
  } catch (error) {
    complain(error.message);
  } finally {
    buttons.forEach((button) => (button.disabled = false));
  }
}

function chooseAgain() {
  complain(null);
  at("file").value = "";
  show("choose");
  at("file").focus({ preventScroll: true });
}

for (const button of document.querySelectorAll(".gallery button")) {
  button.addEventListener("click", () => {
    const form = new FormData();
    form.set("name", button.dataset.name);
    count(form, `photos/${encodeURIComponent(button.dataset.name)}`);
  });
}

at("file").addEventListener("change", () => {
  const [file] = at("file").files;
  if (!file) return;
  const form = new FormData();
  form.set("photo", file);
  if (objectUrl) URL.revokeObjectURL(objectUrl);
  objectUrl = URL.createObjectURL(file);
  count(form, objectUrl);
});

at("right").addEventListener("click", () => say({ verdict: "confirmed" }, "Good to know that the count is right."));

at("wrong").addEventListener("click", () => {
  at("ask").hidden = true;
  at("correct").hidden = false;
  setMarking(true);
  at("number").focus({ preventScroll: true });
});

at("correct").addEventListener("submit", (event) => {
  event.preventDefault();
  const number = at("number").valueAsNumber;
  const isNew = Number.isInteger(number) && (number !== counted.count || points.length > 0);
  say(
    {
      verdict: "rejected",
      count: isNew ? number : null,
      points,
      image_size: counted.image_size,
      comment: at("comment").value.trim() || null,
    },
    "A person will look at this photo, and the counter will learn from it.",
  );
});

for (const [id, change] of [["fewer", -1], ["more", 1]]) {
  at(id).addEventListener("click", () => {
    isOwnNumber = true;
    at("number").value = Math.max((at("number").valueAsNumber || 0) + change, 0);
  });
}
at("number").addEventListener("input", () => (isOwnNumber = true));

at("undo").addEventListener("click", () => {
  points.pop();
  draw();
});

at("stage").addEventListener("click", (event) => {
  if (!at("stage").classList.contains("marking")) return;
  const frame = at("stage").getBoundingClientRect();
  const [width, height] = counted.image_size;
  aim = null;
  toggleSpot(((event.clientX - frame.left) / frame.width) * width, ((event.clientY - frame.top) / frame.height) * height);
});

at("stage").addEventListener("keydown", (event) => {
  const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  if (!at("stage").classList.contains("marking")) return;
  if (moves[event.key]) moveAim(...moves[event.key]);
  else if (event.key === "Enter" || event.key === " ") toggleSpot(...(aim ?? counted.image_size.map((side) => side / 2)));
  else if (event.key === "Backspace") at("undo").click();
  else return;
  event.preventDefault();
});

at("back").addEventListener("click", chooseAgain);
at("again").addEventListener("click", chooseAgain);
