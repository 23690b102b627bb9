/**
 * <looks-wrong>: one tap says "looks right" or "looks wrong", one more step says what would be right.
 *
 * An answer is written to localStorage inside the click handler and posted at once with `keepalive`; whatever the
 * network, the server or the user does then, it is sent later under the same id. All is one file, longer than others of
 * this project, so that a page makes one request; marking on an image is fetched when a user wants it.
 */

const PREFIX = "looks-wrong:";
const ANSWER = PREFIX + "answer:";
const STATE = PREFIX + "state:";
const HOUR_MS = 36e5;
const DAY_MS = 24 * HOUR_MS;
/** While one page sends an answer no other does; the lease outlives a page that was closed meanwhile. */
const LEASE_MS = 2e4;
const SEEN_MS = 1000;
/** With the marks, in any script, it fits into a body of 4 kB. */
const COMMENT_CHARS = 500;
/** Never again, says the wire's table of retries (410: nobody took it for a week); all else may be mended. */
const REFUSALS = [400, 409, 410, 413, 415, 422];

const english = {
  question: "Is this right?",
  right: "Looks right",
  wrong: "Looks wrong",
  undo: "Undo",
  saved: "Saved",
  later: "Saved, not sent yet",
  sent: "Sent, thank you",
  failed: "That did not work",
  user_right: "Checked: you were right",
  user_wrong: "Checked: it was right",
  count: "How many?",
  label: "What is it?",
  mark: "Mark on the image",
  hint: "Tap or drag on the image. Arrows move, Shift resizes.",
  add: "Add a mark",
  remove: "Remove",
  marked: "Marked",
  comment: "Comment",
  send: "Send",
  close: "Close",
};

// Storage: localStorage, and where that is denied or full, this page's memory.

function attempt(action) {
  try {
    return action();
  } catch {
    return undefined;
  }
}

let store = attempt(() => localStorage) ?? {};

function put(key, value) {
  const text = JSON.stringify(value);
  try {
    store[key] = text;
  } catch {
    store = { ...store, [key]: text };
  }
}

const drop = (key) => delete store[key];
/** Not below 0, not above the most. */
const clamp = (value, most) => Math.min(Math.max(value, 0), most);
const parse = (text) => attempt(() => JSON.parse(text));
const read = (key) => parse(store[key]);
const keys = (prefix) => Object.keys(store).filter((key) => key.startsWith(prefix));

/** What this browser knows of a sample: verdict, id, failed; `told`: the verdict that the server has. */
const recall = (sample) => read(STATE + sample) ?? {};
const remember = (sample, news) => put(STATE + sample, { ...recall(sample), ...news, at: Date.now() });

// The outbox: one for all elements of a page, shared by all pages of an origin.

/** The elements on the page, each with what draws it. */
const elements = new Map();
/** Samples of which an answer is under way from this page: a second one waits, or it might arrive first. */
const busy = new Set();
let turn = Promise.resolve();
let timer;

const waiting = () =>
  keys(ANSWER)
    .map(read)
    .filter(Boolean)
    .sort((one, other) => one.at - other.at);

function enqueue(entry) {
  entry = { ...entry, at: Date.now(), next: 0 };
  put(ANSWER + entry.id, entry);
  if (!busy.has(entry.sample)) post(entry).then(drain);
}

/** Send one answer. It is under way before the first await: a page that is closed right now has sent it. */
async function post(entry) {
  const { id, sample, url, body, at } = entry;
  busy.add(sample);
  put(ANSWER + id, { ...entry, next: Date.now() + LEASE_MS, maybe: true });
  let status = 0;
  let wait = 0;
  try {
    const response = await fetch(url, {
      method: "POST",
      body: JSON.stringify({ ...body, age_ms: clamp(Date.now() - at, 1e12) }), // text/plain: no preflight
      credentials: "omit",
      keepalive: true,
      signal: AbortSignal.timeout?.(LEASE_MS),
    });
    status = response.status;
    const after = response.headers.get("Retry-After");
    wait = after * 1000 || Date.parse(after) - Date.now() || 0;
  } catch {
    // no answer: it may have arrived all the same
  }
  busy.delete(sample);
  settle(entry, status, clamp(wait, HOUR_MS));
  return read(ANSWER + id);
}

function settle(entry, status, wait) {
  const { id, sample, body } = entry;
  const isRefused = REFUSALS.includes(status);
  if (status === 202 || isRefused) {
    drop(ANSWER + id);
    if (!isRefused) remember(sample, { told: body.verdict });
    else if (recall(sample).id === id) remember(sample, { verdict: null, failed: true });
    announce(isRefused ? "failed" : "sent", entry, status);
  } else if (read(ANSWER + id)) {
    // it was not taken back meanwhile; without any answer it is due as soon as the network may be back
    const maybe = entry.maybe || (!status && navigator.onLine);
    put(ANSWER + id, { ...entry, late: true, maybe, next: status && Date.now() + wait });
  }
  refresh(sample);
}

/** Send what is due after what is being sent, from one page at a time; what has just failed waits for the next time. */
function drain(failed) {
  // insecure origins have no locks, and in sandboxed frames they throw
  turn = turn
    .then(() => failed?.id || navigator.locks.request(PREFIX, sendDue))
    .catch(sendDue)
    .then(() => {
      clearTimeout(timer);
      const next = Math.min(...waiting().map((entry) => entry.next));
      // by chance, or all pages would come back in the same second
      if (next < Infinity) timer = setTimeout(drain, Math.max(next - Date.now(), 2e3 + Math.random() * 58e3));
    });
}

async function sendDue() {
  for (const { id } of waiting()) {
    const entry = read(ANSWER + id); // afresh: another page may have sent it, or the user taken it back
    // a time far ahead is a clock that was set back
    const ahead = entry?.next - Date.now();
    if (!entry || (ahead > 0 && ahead < 2 * HOUR_MS) || busy.has(entry.sample)) continue;
    if (Date.now() - entry.at > 7 * DAY_MS) settle(entry, 410);
    else await post(entry);
  }
}

/** Tell the page: the detail is the answer as it is posted, without its token. */
function announce(what, { sample, undo, body }, status) {
  const { token, ...answer } = body;
  const target = [...elements.keys()].find((element) => element.sample === sample) ?? document;
  const detail = { ...answer, undo, status };
  if (body.verdict) target.dispatchEvent(new CustomEvent("feedback-" + what, { detail, bubbles: true, composed: true }));
}

function refresh(sample) {
  for (const [element, draw] of elements) if (element.sample === sample) draw();
}

// The element.

const CSS = `
:host { display: inline-block; max-width: 100%; }
[hidden] { display: none !important; }
* { box-sizing: border-box; font: inherit; color: inherit; }
.row, [part=option] { display: flex; flex-wrap: wrap; gap: .5em; align-items: center; }
button, [name], form { min-height: 44px; margin: 0; padding: .5em .9em; background: none;
  border: 1px solid var(--looks-wrong-border, gray); border-radius: var(--looks-wrong-radius, .6em); }
[aria-pressed=true], [type=submit] { background: var(--looks-wrong-accent, #1d5fbf);
  color: var(--looks-wrong-accent-text, #fff); }
[part~=right]::before { content: "✓ " / ""; }
[part~=wrong]::before { content: "✗ " / ""; }
form { display: grid; gap: 1em; width: 24em; max-width: 100%; margin-top: .5em; padding: 1em; }
.popover { position: fixed; right: .5em; bottom: .5em; z-index: 9999999; max-width: calc(100% - 1em);
  max-height: 50%; overflow: auto; background: var(--looks-wrong-background, Canvas);
  color: var(--looks-wrong-text, CanvasText); }
fieldset, legend { border: 0; margin: 0; padding: 0; }
[type=radio] { width: 1.3em; }
textarea, [name=count] { display: block; width: 100%; }
@media (forced-colors: active) { [aria-pressed=true] { forced-color-adjust: none; background: Highlight;
  color: HighlightText; } }
`;

const sheets = {};

/** Style without an inline style, which a strict policy forbids; browsers without such sheets get an element. */
function style(root, css) {
  try {
    if (!sheets[css]) (sheets[css] = new CSSStyleSheet()).replaceSync(css);
    root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheets[css]];
  } catch {
    root.append(h("style", { textContent: css }));
  }
}

function h(tag, properties, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

const NAMES = "sample,token,endpoint,mode,correct,layout,status,count,labels,strings,image".split(",");

// a page may be rendered on a server, where there is no HTMLElement
export class LooksWrong extends (globalThis.HTMLElement ?? Object) {
  static observedAttributes = [...NAMES, "lang"];
  #given = {};
  #nodes;
  #panel;
  #marker;
  #opener;
  #seen;
  #observer;

  /** The verdict that stands in this browser: confirmed, rejected, corrected, or null. */
  get verdict() {
    return recall(this.sample).verdict ?? null;
  }

  /** idle, open, saved (on this device), later (saved, a try failed), sent, or failed. */
  get state() {
    return this.#isOpen() ? "open" : this.#kind();
  }

  connectedCallback() {
    for (const name of NAMES) {
      if (this.hasOwnProperty(name)) {
        const value = this[name]; // set before the element was defined, so it hides the accessor
        delete this[name];
        this[name] = value;
      }
    }
    this.#nodes ??= this.#build();
    elements.set(this, () => this.#draw());
    this.#changed("sample");
  }

  disconnectedCallback() {
    this.#close();
    elements.delete(this);
    this.#observer.disconnect();
    clearTimeout(this.#seen);
  }

  attributeChangedCallback(name, before, now) {
    if (before === now) return;
    delete this.#given[name];
    this.#changed(name);
  }

  /** Open the step that asks what would be right. Nothing is said by that. */
  open() {
    if (!this.#panel) this.shadowRoot.append((this.#panel = this.#buildPanel()));
    const panel = this.#panel;
    this.#opener = this.shadowRoot.activeElement ?? document.activeElement;
    panel.hidden = false;
    panel.focus(); // not its first field: that would open a phone's keyboard
    this.#draw();
  }

  /**
   * Save an answer on this device, and send it. Returns its id.
   * Throws a TypeError if the verdict is none, or if sample or token are missing. `undo` is for undo() alone.
   */
  submit(verdict, { correction, comment, undo } = {}) {
    const { sample, token } = this;
    const isVerdict = correction ? verdict === "corrected" : ["confirmed", "rejected"].includes(verdict);
    if (!sample || !token || !isVerdict) {
      throw new TypeError("needs sample, token and a verdict, got " + verdict);
    }
    // a blob's address ends with a UUID, on insecure origins too, where crypto.randomUUID is undefined
    const id = URL.createObjectURL(new Blob()).slice(-36);
    const text = [...(comment ?? "")].slice(0, COMMENT_CHARS).join("");
    const body = { id, sample_id: sample, token, verdict, correction, comment: text || undefined };
    if (!undo) remember(sample, { verdict, id, failed: false });
    const answer = { id, sample, undo, body };
    enqueue({ ...answer, url: this.#url("feedback") });
    announce("saved", answer);
    refresh(sample);
    return id;
  }

  /** Take the last answer back: it is not sent, or where the server may have it, replaced by "confirmed". */
  undo() {
    const { sample } = this;
    let { told } = recall(sample);
    for (const entry of waiting()) {
      if (entry.sample !== sample) continue;
      if (entry.maybe) told = entry.body.verdict;
      drop(ANSWER + entry.id);
    }
    this.reset();
    if (told && told !== "confirmed") this.submit("confirmed", { undo: true });
  }

  /** Forget on this device what was said of the sample. What waits is sent all the same. */
  reset() {
    remember(this.sample, { verdict: null, failed: false });
    this.#changed("sample");
  }

  #draw() {
    const { verdict } = this;
    const { bar, right, wrong, undo, status } = this.#nodes;
    for (const [name, button] of Object.entries({ right, wrong, undo })) button.textContent = this.#say(name);
    bar.ariaLabel = this.#say("question");
    right.hidden = this.mode === "flag";
    right.disabled = wrong.disabled = !this.sample || !this.token;
    right.ariaPressed = verdict === "confirmed";
    wrong.ariaPressed = !!verdict && verdict !== "confirmed";
    wrong.ariaExpanded = this.#isOpen();
    undo.hidden = !verdict || !!this.status;
    const name = this.status ?? this.#kind();
    const text = this.#say(name) ?? "";
    status.part = "status " + name;
    if (status.textContent !== text) status.textContent = text; // said aloud once
  }

  /** Report that a user has seen it for a second: silence affirms only what was seen. */
  #watch() {
    this.#observer?.disconnect();
    this.#observer = new IntersectionObserver(
      (changes) => {
        clearTimeout(this.#seen);
        if (changes.pop().isIntersecting) this.#seen = setTimeout(() => this.#report(), SEEN_MS);
      },
      { threshold: 0.5 },
    );
    this.#observer.observe(this);
  }

  #report() {
    const { sample, token } = this;
    const id = "shown-" + sample;
    if (!sample || !token || recall(sample).verdict || recall(id).at) return;
    if (document.hidden) return this.#watch(); // reports anew when it is drawn again
    remember(id);
    enqueue({ id, sample: id, url: this.#url("shown"), body: { token } });
  }

  #changed(name) {
    if (!elements.has(this)) return;
    if (name === "sample") this.#watch();
    // another question needs another panel; but a page that renders anew must not cost a user's draft
    if (name === "sample" || !this.#isOpen()) this.#discard();
    this.#draw();
  }

  #say(name) {
    const lang = this.closest("[lang]")?.lang ?? "";
    const locales = globalThis.looksWrongLocales ?? {};
    return this.strings?.[name] ?? (locales[lang] ?? locales[lang.slice(0, 2)])?.[name] ?? english[name];
  }

  #url(call) {
    return (this.endpoint ?? "").replace(/\/+$/, "") + "/v1/" + call;
  }

  #kind() {
    const { verdict, failed, id } = recall(this.sample);
    if (failed) return "failed";
    if (!verdict) return "idle";
    const entry = read(ANSWER + id);
    return entry ? (entry.late ? "later" : "saved") : "sent";
  }

  #isOpen() {
    return this.#panel?.hidden === false;
  }

  #button(name, onclick, type = "button") {
    return h("button", { type, part: "button " + name, onclick, textContent: this.#say(name) });
  }

  #build() {
    const root = this.attachShadow({ mode: "open" });
    style(root, CSS);
    const right = this.#button("right", () => this.#answer("confirmed"));
    const wrong = this.#button("wrong", () => {
      this.#answer("rejected");
      this.open();
      this.#opener = wrong; // Safari does not focus a button that is clicked
    });
    const undo = this.#button("undo", () => {
      this.undo();
      wrong.focus();
    });
    const status = h("span", { role: "status" });
    const bar = h("div", { part: "bar", className: "row", role: "group" }, right, wrong, undo, status);
    root.append(bar);
    root.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.#isOpen()) {
        event.stopPropagation();
        this.#close(true);
      }
    });
    return { bar, right, wrong, undo, status };
  }

  /** A second tap says nothing new. */
  #answer(verdict) {
    const before = this.verdict;
    if (before !== verdict && !(verdict === "rejected" && before === "corrected")) this.submit(verdict);
    if (verdict === "confirmed") this.#discard();
  }

  #buildPanel() {
    const wants = (this.correct ?? "").split(" ");
    const labels = this.labels ?? [];
    const image = wants.includes("image") && this.#image();
    const field = (name, tag, properties) =>
      h("label", {}, this.#say(name), h(tag, { name, part: name, dir: "auto", ...properties }));
    const panel = h("form", { part: "panel", className: this.layout, tabIndex: -1, ariaLabel: this.#say("wrong") });
    if (wants.includes("count")) panel.append(field("count", "input", { type: "number", min: 0, value: this.count ?? "" }));
    // without "labels" they are what a drawn box may be
    if (labels.length && (image || wants.includes("labels"))) panel.append(this.#buildLabels(labels, !wants.includes("labels")));
    if (image) {
      const button = this.#button("mark", () => this.#mark(button, image, () => new FormData(panel).get("label") ?? labels[0]?.value));
      panel.append(button);
    }
    panel.append(
      field("comment", "textarea", { maxLength: COMMENT_CHARS, rows: 2 }),
      h("div", { className: "row" }, this.#button("send", null, "submit"), this.#button("close", () => this.#close(true))),
    );
    panel.onsubmit = (event) => {
      event.preventDefault();
      this.#send(new FormData(panel), wants);
    };
    return panel;
  }

  #buildLabels(labels, isFirstChosen) {
    const options = labels.map(({ value, label }, index) =>
      h(
        "label",
        { part: "option" },
        h("input", { type: "radio", name: "label", value, checked: isFirstChosen && !index }),
        label,
      ),
    );
    return h("fieldset", { part: "label" }, h("legend", { textContent: this.#say("label") }), ...options);
  }

  #image() {
    const { image } = this;
    return image?.nodeType ? image : attempt(() => this.getRootNode().querySelector(image));
  }

  async #mark(button, image, label) {
    try {
      const { mark } = await import("./looks-wrong-marker.js");
      if (this.#marker || !button.isConnected) return;
      const say = (name) => this.#say(name);
      const make = (name, onclick) => this.#button(name, onclick);
      this.#marker = mark(this.shadowRoot, image, label, say, make, h, style);
      button.replaceWith(this.#marker.tools);
      this.#marker.tools.focus();
      image.scrollIntoView(); // above a popover, which takes the lower half at most
    } catch {
      button.textContent = this.#say("failed"); // offline, say: a second tap tries again
    }
  }

  #send(form, wants) {
    const correction = { ...this.#marker?.correction() };
    const [count, label, comment] = ["count", "label", "comment"].map((name) => form.get(name)?.trim());
    if (count && count != this.count) correction.count = +count; // text against what may be a number
    if (label && wants.includes("labels")) correction.label = label;
    if (Object.keys(correction).length) this.submit("corrected", { correction, comment });
    else if (comment || !this.verdict || this.verdict === "confirmed") this.submit("rejected", { comment });
    this.#close(true);
    this.#discard();
  }

  #close(isFocusBack) {
    if (!this.#isOpen()) return;
    this.#panel.hidden = true;
    if (isFocusBack) this.#opener.focus();
    this.#draw();
  }

  #discard() {
    this.#close();
    this.#panel?.remove();
    this.#panel = this.#marker = undefined;
  }

  /** @internal An attribute may hold JSON; a property wins until its attribute changes. */
  static property(name) {
    Object.defineProperty(this.prototype, name, {
      get() {
        const text = this.getAttribute(name);
        return this.#given[name] ?? (/^[[{]/.test(text) ? parse(text) : null) ?? text;
      },
      set(value) {
        if (this.#given[name] === value) return;
        this.#given[name] = value;
        this.#changed(name);
      },
    });
  }
}

NAMES.forEach((name) => LooksWrong.property(name));

if (globalThis.customElements && !customElements.get("looks-wrong")) {
  for (const key of keys(STATE)) if (Date.now() - read(key).at > 30 * DAY_MS) drop(key);
  for (const name of ["online", "pageshow", "visibilitychange"]) addEventListener(name, drain);
  addEventListener("pagehide", () => {
    // what waited for the answer before it
    for (const entry of waiting()) if (!entry.next && !entry.late) post(entry);
  });
  drain();
  customElements.define("looks-wrong", LooksWrong);
}
