/**
 * Marking on an image: tap what was missed, drag to draw or move a box; or the same by keyboard.
 *
 * The marks are buttons in a sheet of the element's own, at percentages of the picture: the page's tree is left alone.
 * Coordinates are pixels of the image itself at whatever size it is shown; a browser's natural size is that after EXIF
 * rotation, as on the wire. A spot is a box without a size.
 */

/** So many fit into a body of 4 kB. */
const MOST_MARKS = 25;
/** How much a finger trembles. */
const TAP_PX = 6;
const AXES = [0, 1];

const CSS = `
.sheet { position: fixed; z-index: 9999999; box-shadow: 0 0 0 3px #1d5fbf; touch-action: pinch-zoom; }
.sheet button { position: absolute; min-height: 0; padding: 0; border: 3px solid #fff;
  border-radius: 0; box-shadow: inset 0 0 0 2px #1d5fbf, 0 0 0 2px #1d5fbf; }
.sheet button::before { content: ""; position: absolute; inset: min(0px, 50% - 22px); }
.popover .sheet { z-index: -1; }
.sheet .spot { width: 22px; height: 22px; margin: -11px; border-radius: 50%; background: #d3133b; }
`;

/** Return a picture's own size; and in CSS px, its size as drawn, where in the viewport, and what each side cuts off. */
function geometry(image) {
  const style = getComputedStyle(image);
  const rect = image.getBoundingClientRect();
  const inset = (side) => parseFloat(style[`border${side}Width`]) + parseFloat(style["padding" + side]);
  const corner = [rect.x + inset("Left"), rect.y + inset("Top")];
  const room = [rect.right - inset("Right") - corner[0], rect.bottom - inset("Bottom") - corner[1]];
  const size = [
    image.naturalWidth || image.videoWidth || image.width,
    image.naturalHeight || image.videoHeight || image.height,
  ];
  const ratios = AXES.map((axis) => room[axis] / size[axis]);
  const low = Math.min(...ratios);
  const scales = { contain: low, cover: Math.max(...ratios), none: 1, "scale-down": Math.min(1, low) };
  const drawn = AXES.map((axis) => size[axis] * (scales[style.objectFit] ?? ratios[axis]));
  const offset = AXES.map((axis) => {
    const place = style.objectPosition.split(" ")[axis];
    return parseFloat(place) * (place.endsWith("%") ? (room[axis] - drawn[axis]) / 100 : 1);
  });
  const [left, top] = AXES.map((axis) => -offset[axis]);
  const [right, bottom] = AXES.map((axis) => drawn[axis] + offset[axis] - room[axis]);
  return [size, drawn, AXES.map((axis) => corner[axis] + offset[axis]), [top, right, bottom, left]];
}

class Marker {
  #options;
  #size;
  #sheet;
  #marks = [];
  #selected;
  #drag;
  #origin = [0, 0];

  constructor(options) {
    const { root, image, say, button, h, style } = options;
    this.#options = options;
    [this.#size] = geometry(image);
    this.#sheet = h("div", {
      className: "sheet",
      onpointerdown: (event) => this.#down(event),
      onpointermove: (event) => this.#move(event),
      onlostpointercapture: () => (this.#drag = undefined),
    });
    style(root, CSS);
    const middle = [0, 1, 0, 1].map((axis) => this.#size[axis] / 2);
    const add = button("add", () => this.#add(middle)?.node.focus());
    const remove = button("remove", () => this.#remove(this.#selected));
    /** What the panel shows while marking. */
    this.tools = h("div", { tabIndex: -1 }, say("hint"), h("div", { className: "row" }, add, remove), this.#sheet);
    requestAnimationFrame(() => this.#follow());
  }

  /** Return what was marked, as on the wire; undefined if nothing was. */
  correction() {
    const points = [];
    const boxes = [];
    for (const { label, isSpot, corners } of this.#marks) {
      const [x_min, y_min, x_max, y_max] = corners;
      if (isSpot) points.push({ x: x_min, y: y_min });
      else boxes.push({ action: "add", label, x_min, y_min, x_max, y_max });
    }
    return this.#marks[0] && { image_size: this.#size, points, boxes };
  }

  #add(corners) {
    const { h, label } = this.#options;
    if (this.#marks.length >= MOST_MARKS) return undefined;
    const mark = { label: label() };
    mark.node = h("button", {
      type: "button",
      onkeydown: (event) => this.#press(event, mark),
      onfocus: () => (this.#selected = mark),
    });
    this.#marks.push(mark);
    this.#sheet.append(mark.node);
    this.#shift(mark, corners, [0, 0]);
    return mark;
  }

  #remove(mark) {
    mark?.node.remove();
    this.#marks = this.#marks.filter((other) => other !== mark);
    this.tools.focus();
  }

  /** Move a mark, or its last corner alone, and give it its name; whole pixels, inside the image. */
  #shift(mark, from, by, isResize) {
    const isBox = isResize && mark.label !== undefined;
    const size = this.#size;
    const clamp = (value, most) => Math.round(Math.min(Math.max(value, 0), most));
    const [[x0, x1], [y0, y1]] = AXES.map((axis) => {
      const [low, high] = [from[axis], from[axis + 2]];
      const moved = clamp((isBox ? high : low) + by[axis], size[axis] - (isBox ? 0 : high - low));
      const start = isBox ? Math.min(low, moved, size[axis] - 1) : moved;
      return [start, isBox ? Math.max(low, moved, start + 1) : moved + high - low].map(Math.round);
    });
    mark.corners = [x0, y0, x1, y1];
    mark.isSpot = x0 === x1;
    const { node } = mark;
    const [left, top, width, height] = [x0, y0, x1 - x0, y1 - y0].map((px, index) => (px / size[index % 2]) * 100 + "%");
    node.className = mark.isSpot ? "spot" : "";
    node.style.cssText = `left:${left};top:${top}` + (mark.isSpot ? "" : `;width:${width};height:${height}`);
    node.ariaLabel = [this.#options.say("marked"), x0, y0, ...(mark.isSpot ? [] : [x1, y1, mark.label])].join(" ");
  }

  #press(event, mark) {
    const { key, shiftKey } = event;
    const step = Math.ceil(this.#size[0] / 100);
    const by = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[key];
    if (key === "Delete") this.#remove(mark);
    if (!by) return;
    event.preventDefault();
    this.#shift(mark, mark.corners, by, shiftKey);
  }

  /** What is between two places on the screen, in the image's pixels. */
  #between(one, other) {
    const { width, height } = this.#sheet.getBoundingClientRect();
    return [((other.x - one.x) / width) * this.#size[0], ((other.y - one.y) / height) * this.#size[1]];
  }

  #down(event) {
    event.preventDefault(); // no selection of text; focus is given below
    const old = this.#marks.find(({ node }) => node === event.target);
    const at = this.#between(this.#sheet.getBoundingClientRect(), event);
    const mark = old ?? this.#add([...at, ...at]);
    if (!mark) return;
    this.#sheet.setPointerCapture(event.pointerId);
    mark.node.focus({ preventScroll: true });
    this.#drag = { mark, from: event, corners: mark.corners, isNew: !old };
  }

  #move(event) {
    const drag = this.#drag;
    if (!drag || (!drag.isMoved && Math.hypot(event.x - drag.from.x, event.y - drag.from.y) < TAP_PX)) return;
    drag.isMoved = true;
    this.#shift(drag.mark, drag.corners, this.#between(drag.from, event), drag.isNew);
  }

  #follow() {
    const [, drawn, corner, cut] = geometry(this.#options.image);
    // measured, not computed: a transformed ancestor moves what is fixed
    const own = this.#sheet.getBoundingClientRect();
    const origin = (this.#origin = [this.#origin[0] + corner[0] - own.x, this.#origin[1] + corner[1] - own.y]);
    const clip = cut.map((px) => px - 24 + "px").join(" ");
    const [left, top, width, height] = [...origin, ...drawn].map((px) => px + "px");
    this.#sheet.style.cssText = `left:${left};top:${top};width:${width};height:${height};clip-path:inset(${clip})`;
    if (this.#sheet.isConnected) requestAnimationFrame(() => this.#follow());
  }
}

/**
 * Start to mark on an image. `label()` tells what a new box is: where it returns undefined a user marks spots only.
 */
export const mark = (options) => new Marker(options);
