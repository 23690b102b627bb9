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

/**
 * Start to mark on an image. `label()` tells what a new box is: where it returns undefined a user marks spots only. The
 * others are the element's own ways to name and make things. Returns `tools`, which the panel shows while marking, and
 * `correction`, which gives what was marked as on the wire; undefined if nothing was.
 */
export const mark = (root, image, label, say, button, h, style) => {
  const [size] = geometry(image);
  let marks = [];
  let selected;
  let drag;
  let origin = [0, 0];

  const add = (corners) => {
    if (marks.length >= MOST_MARKS) return undefined;
    const node = h("button", {
      type: "button",
      onkeydown: (event) => press(event, made),
      onfocus: () => (selected = made),
    });
    const made = { label: label(), node };
    marks.push(made);
    sheet.append(node);
    shift(made, corners, [0, 0]);
    return made;
  };

  const remove = () => {
    selected?.node.remove();
    marks = marks.filter((other) => other !== selected);
    tools.focus();
  };

  /** Move a mark, or its last corner alone, and give it its name; whole pixels, inside the image. */
  const shift = (moved, from, by, isResize) => {
    const isBox = isResize && moved.label !== undefined;
    const [[x0, x1], [y0, y1]] = AXES.map((axis) => {
      const [low, high] = [from[axis], from[axis + 2]];
      const room = size[axis] - (isBox ? 0 : high - low);
      const to = Math.round(Math.min(Math.max((isBox ? high : low) + by[axis], 0), room));
      const start = isBox ? Math.min(low, to, size[axis] - 1) : to;
      return [start, isBox ? Math.max(low, to, start + 1) : to + high - low].map(Math.round);
    });
    const { node } = moved;
    moved.corners = [x0, y0, x1, y1];
    const isSpot = x0 === x1;
    const [left, top, width, height] = [x0, y0, x1 - x0, y1 - y0].map((px, index) => (px / size[index % 2]) * 100 + "%");
    node.className = isSpot ? "spot" : "";
    node.style.cssText = `left:${left};top:${top}` + (isSpot ? "" : `;width:${width};height:${height}`);
    node.ariaLabel = [say("marked"), x0, y0, ...(isSpot ? [] : [x1, y1, moved.label])].join(" ");
  };

  const press = (event, pressed) => {
    const step = Math.ceil(size[0] / 100);
    const by = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
    if (event.key === "Delete") remove();
    if (!by) return;
    event.preventDefault();
    shift(pressed, pressed.corners, by, event.shiftKey);
  };

  /** What is between two places on the screen, in the image's pixels. */
  const between = (one, other) => {
    const { width, height } = sheet.getBoundingClientRect();
    return [((other.x - one.x) / width) * size[0], ((other.y - one.y) / height) * size[1]];
  };

  const follow = () => {
    const [, drawn, corner, cut] = geometry(image);
    // measured, not computed: a transformed ancestor moves what is fixed
    const own = sheet.getBoundingClientRect();
    origin = [origin[0] + corner[0] - own.x, origin[1] + corner[1] - own.y];
    const clip = cut.map((px) => px - 24 + "px").join(" ");
    const [left, top, width, height] = [...origin, ...drawn].map((px) => px + "px");
    sheet.style.cssText = `left:${left};top:${top};width:${width};height:${height};clip-path:inset(${clip})`;
    if (sheet.isConnected) requestAnimationFrame(follow);
  };

  const sheet = h("div", {
    className: "sheet",
    onpointerdown: (event) => {
      event.preventDefault(); // no selection of text; focus is given below
      const old = marks.find(({ node }) => node === event.target);
      const at = between(sheet.getBoundingClientRect(), event);
      const taken = old ?? add([...at, ...at]);
      if (!taken) return;
      sheet.setPointerCapture(event.pointerId);
      taken.node.focus({ preventScroll: true });
      drag = { taken, from: event, corners: taken.corners, isNew: !old };
    },
    onpointermove: (event) => {
      if (!drag || (!drag.isMoved && Math.hypot(event.x - drag.from.x, event.y - drag.from.y) < TAP_PX)) return;
      drag.isMoved = true;
      shift(drag.taken, drag.corners, between(drag.from, event), drag.isNew);
    },
    onlostpointercapture: () => (drag = undefined),
  });
  const middle = [0, 1, 0, 1].map((axis) => size[axis] / 2);
  const buttons = [button("add", () => add(middle)?.node.focus()), button("remove", remove)];
  const tools = h("div", { tabIndex: -1 }, say("hint"), h("div", { className: "row" }, ...buttons), sheet);
  style(root, CSS);
  requestAnimationFrame(follow);

  const correction = () => {
    const points = [];
    const boxes = [];
    for (const { label, corners } of marks) {
      const [x_min, y_min, x_max, y_max] = corners;
      if (x_min === x_max) points.push({ x: x_min, y: y_min });
      else boxes.push({ action: "add", label, x_min, y_min, x_max, y_max });
    }
    return marks[0] && { image_size: size, points, boxes };
  };
  return { tools, correction };
};
