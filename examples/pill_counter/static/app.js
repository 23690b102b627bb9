// The page of the pill counter: choose a photo, see the boxes and the count; <looks-wrong> asks whether they are right.

const at = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";

let counted = null; // the answer to /predictions
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

async function post(url, body) {
  let answer;
  try {
    answer = await fetch(url, { method: "POST", body });
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
  at("count").textContent = counted.count;
  at("count-word").textContent = counted.count === 1 ? "object counted" : "objects counted";
  at("version").textContent = counted.model_version;
  drawLegend();
  draw();
  show("result");
  ask();
  at("count-line").focus({ preventScroll: true });
}

function ask() {
  const canAnswer = Boolean(counted?.token && customElements.get("looks-wrong"));
  at("answer").hidden = !canAnswer;
  at("silent").hidden = canAnswer;
  if (!canAnswer) return;
  const { sample_id: sample, token, count, labels } = counted;
  Object.assign(at("answer"), { sample, token, count, labels });
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

function draw() {
  const [width, height] = counted.image_size;
  at("marks").setAttribute("viewBox", `0 0 ${width} ${height}`);
  at("marks").replaceChildren();
  for (const { label, x_min: x, y_min: y, x_max, y_max } of counted.boxes) {
    for (const name of ["box under", `box ${label}`]) {
      const rectangle = document.createElementNS(SVG, "rect");
      const attributes = { x, y, width: x_max - x, height: y_max - y, class: name };
      for (const [key, value] of Object.entries(attributes)) rectangle.setAttribute(key, value);
      at("marks").append(rectangle);
    }
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

at("back").addEventListener("click", chooseAgain);
at("again").addEventListener("click", chooseAgain);
customElements.whenDefined("looks-wrong").then(ask);
