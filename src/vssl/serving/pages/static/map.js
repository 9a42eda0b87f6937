// Points on a plane: wheel or + and - zoom, dragging or arrow keys move, shift and drag select, a click opens.
const canvas = document.getElementById("map");
const pen = canvas.getContext("2d");
const style = getComputedStyle(document.documentElement);
const ink = (name) => style.getPropertyValue(`--${name}`);
const RADIUS = 5;
let points = { known: [], recent: [] };
let view = { x: 0, y: 0, scale: 100 };
let drag = null;

const across = (x) => canvas.width / 2 + (x - view.x) * view.scale;
const down = (y) => canvas.height / 2 - (y - view.y) * view.scale;

function fit() {
  const all = [...points.known, ...points.recent.map((point) => [point.x, point.y])];
  if (!all.length) return;
  const [xs, ys] = [0, 1].map((axis) => all.map((point) => point[axis]).sort((a, b) => a - b));
  // A few far ones must not squeeze all others into one dot.
  const span = (values) => [values[Math.floor(values.length * 0.01)], values[Math.ceil(values.length * 0.99) - 1]];
  const [[left, right], [low, high]] = [span(xs), span(ys)];
  const scale = 0.85 * Math.min(canvas.width / (right - left || 1), canvas.height / (high - low || 1));
  view = { x: (left + right) / 2, y: (low + high) / 2, scale };
}

function draw() {
  pen.clearRect(0, 0, canvas.width, canvas.height);
  pen.fillStyle = ink("faint");
  for (const [x, y] of points.known) pen.fillRect(across(x) - 1.5, down(y) - 1.5, 3, 3);
  for (const point of points.recent) {
    pen.fillStyle = ink(point.decision);
    pen.beginPath();
    pen.arc(across(point.x), down(point.y), RADIUS, 0, 7);
    pen.fill();
    if (point.chosen) {
      pen.strokeStyle = ink("ink");
      pen.lineWidth = 2;
      pen.stroke();
    }
  }
  if (drag?.select) {
    pen.strokeStyle = ink("ink");
    pen.strokeRect(drag.from.x, drag.from.y, drag.to.x - drag.from.x, drag.to.y - drag.from.y);
  }
}

function at(event) {
  const box = canvas.getBoundingClientRect();
  return { x: ((event.clientX - box.left) * canvas.width) / box.width, y: ((event.clientY - box.top) * canvas.height) / box.height };
}

function zoom(factor, place = { x: canvas.width / 2, y: canvas.height / 2 }) {
  const [x, y] = [view.x + (place.x - canvas.width / 2) / view.scale, view.y - (place.y - canvas.height / 2) / view.scale];
  view.scale *= factor;
  view.x = x - (place.x - canvas.width / 2) / view.scale;
  view.y = y + (place.y - canvas.height / 2) / view.scale;
  draw();
}

function select({ from, to }) {
  const inside = (value, a, b) => value >= Math.min(a, b) && value <= Math.max(a, b);
  for (const point of points.recent) {
    point.chosen = inside(across(point.x), from.x, to.x) && inside(down(point.y), from.y, to.y);
  }
  const chosen = points.recent.filter((point) => point.chosen);
  document.getElementById("count").textContent = chosen.length;
  document.getElementById("selected").replaceChildren(
    ...chosen.map((point) => {
      const link = document.createElement("a");
      link.href = `/decisions/${point.number}`;
      link.textContent = point.id || point.number;
      link.className = point.decision;
      const item = document.createElement("li");
      item.append(link);
      return item;
    }),
  );
}

canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2, at(event));
});
canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  drag = { from: at(event), to: at(event), select: event.shiftKey, view: { ...view } };
});
canvas.addEventListener("pointermove", (event) => {
  if (!drag) return;
  drag.to = at(event);
  if (!drag.select) {
    view.x = drag.view.x - (drag.to.x - drag.from.x) / view.scale;
    view.y = drag.view.y + (drag.to.y - drag.from.y) / view.scale;
  }
  draw();
});
canvas.addEventListener("pointerup", () => {
  const done = drag;
  drag = null;
  if (done.select) select(done);
  else if (Math.hypot(done.to.x - done.from.x, done.to.y - done.from.y) < 3) {
    const near = points.recent.find((point) => Math.hypot(across(point.x) - done.to.x, down(point.y) - done.to.y) <= RADIUS + 2);
    if (near) location.href = `/decisions/${near.number}`;
  }
  draw();
});
canvas.addEventListener("keydown", (event) => {
  const step = 40 / view.scale;
  const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
  if (moves[event.key]) {
    event.preventDefault();
    view.x += moves[event.key][0];
    view.y += moves[event.key][1];
    draw();
  } else if (event.key === "+") zoom(1.2);
  else if (event.key === "-") zoom(1 / 1.2);
});

fetch("/map.json").then((answer) => answer.json()).then((found) => {
  points = found;
  fit();
  draw();
});
