/* Draw a digit; see its pixels, the pixels for and against a class, and probabilities. */
"use strict";

(() => {
  const { start, softmax, format, showBars, announcer } = sksoftmaxFigures;
  const [figure, find] = start("digit");
  const model = JSON.parse(find("script").textContent);
  const announce = announcer(figure);
  const sheet = find(".sheet"), cursor = find(".cursor");

  /* The drawing, on a sheet of 16 x 16 cells: strokes of the pointer, lists of points;
     cells that the keyboard has painted; or, if both are empty, an example. */
  let strokes = [], cells = new Set(), example = null;
  let column = 7, line = 3, isPainting = false;

  // From a drawing to 64 pixels

  /* Return the drawing as straight segments [x, y, x, y]. Painted cells are dots, and
     neighbouring ones are joined. */
  function segments() {
    const found = [];
    for (const stroke of strokes) {
      if (stroke.length === 1) found.push([...stroke[0], ...stroke[0]]);
      for (let i = 1; i < stroke.length; i++) found.push([...stroke[i - 1], ...stroke[i]]);
    }
    for (const cell of cells) {
      const x = cell % 16, y = Math.floor(cell / 16);
      for (const [dx, dy] of [[0, 0], [1, 0], [0, 1], [1, 1], [-1, 1]]) {
        const isInside = x + dx >= 0 && x + dx < 16;
        if (isInside && cells.has(cell + dx + 16 * dy)) {
          found.push([x + 0.5, y + 0.5, x + dx + 0.5, y + dy + 0.5]);
        }
      }
    }
    return found;
  }

  /* Return the smallest and the largest of the segments' coordinates. */
  function box(lines) {
    const x = lines.flatMap(([a, , c]) => [a, c]), y = lines.flatMap(([, b, , d]) => [b, d]);
    return [Math.min(...x), Math.max(...x), Math.min(...y), Math.max(...y)];
  }

  /* Take the slant out: shear, so that the leftmost ink near the top is above the
     leftmost ink near the bottom. */
  function upright(lines) {
    const [, , top, bottom] = box(lines);
    const height = bottom - top, band = 0.06 * height;
    const leftmost = (from, to) => {
      let left = Infinity;
      for (const [a, b, c, d] of lines) {
        for (let t = 0; t <= 1; t += 0.125) {
          const y = b + t * (d - b);
          if (y >= from && y <= to) left = Math.min(left, a + t * (c - a));
        }
      }
      return left;
    };
    const drift = leftmost(bottom - band, bottom) - leftmost(top, top + band);
    const slope = height ? Math.max(-0.7, Math.min(0.7, drift / (height - band))) : 0;
    return lines.map(([a, b, c, d]) => [a - slope * (b - top), b, c - slope * (d - top), d]);
  }

  /* Return whether a point is within a distance of a segment. */
  function isNear(px, py, [a, b, c, d], distance) {
    const x = c - a, y = d - b, length = x * x + y * y;
    const along = length ? ((px - a) * x + (py - b) * y) / length : 0;
    const t = Math.max(0, Math.min(1, along));
    const dx = px - a - t * x, dy = py - b - t * y;
    return dx * dx + dy * dy <= distance * distance;
  }

  /* Return 64 counts of ink from 0 to 16, made as the data set was made: upright, scaled
     to the height of a bitmap of 32 x 32, centred, and counted in blocks of 4 x 4. The
     digits of the data have nearly the same ink, so the width of the pen is searched
     here until 280 of the 1024 pixels are black. The reader's pen does not matter. The
     numbers 280, and 18 for the columns, recognise drawn digits best. */
  function toPixels(lines) {
    if (!lines.length) return new Array(64).fill(0);
    lines = upright(lines);
    const [left, right, top, bottom] = box(lines);
    let pixels, thin = 0.5, thick = 7;
    for (let i = 0; i < 7; i++) {
      const pen = (thin + thick) / 2;
      // As wide as 18 columns, but a thin 1 does not become as wide as a 0.
      let across = Math.max(18 - 2 * pen, 0) / (right - left || 1e-9);
      let down = (32 - 2 * pen) / (bottom - top || 1e-9);
      across = Math.min(across, 1.3 * down);
      down = Math.min(down, 3 * across);
      const x = (value) => 16 + across * (value - (left + right) / 2);
      const y = (value) => 16 + down * (value - (top + bottom) / 2);
      const scaled = lines.map(([a, b, c, d]) => [x(a), y(b), x(c), y(d)]);
      pixels = new Array(64).fill(0);
      let ink = 0;
      for (let row = 0; row < 32; row++) {
        for (let col = 0; col < 32; col++) {
          if (scaled.some((segment) => isNear(col + 0.5, row + 0.5, segment, pen))) {
            pixels[8 * (row >> 2) + (col >> 2)]++;
            ink++;
          }
        }
      }
      if (ink < 280) thin = pen; else thick = pen;
    }
    return pixels;
  }

  // From pixels to what is shown

  function show() {
    const lines = segments();
    const pixels = example === null ? toPixels(lines) : model.examples[example];
    const x = pixels.map((count) => count / 16);
    const evidence = model.coef.map((weights) => weights.map((weight, i) => weight * x[i]));
    const sums = evidence.map((values) => values.reduce((a, b) => a + b));
    const scores = sums.map((sum, i) => sum + model.intercept[i]);
    const proba = softmax(scores);
    const top = proba.indexOf(Math.max(...proba));
    const look = find("[name=look]:checked").value;
    const chosen = look === "top" ? top : Number(look);

    const truth = example === null ? null : model.labels[example];
    showBars(figure, proba, truth, chosen);
    paint(find(".pixels"), x);
    paint(find(".example"), example === null ? x.map(() => 0) : x);
    paint(find(".evidence"), evidence[chosen], Math.max(...evidence.flat().map(Math.abs)));
    find(".ink").setAttribute("d", lines.map(([a, b, c, d]) => `M${a} ${b}L${c} ${d}`).join(""));
    cursor.setAttribute("x", column);
    cursor.setAttribute("y", line);
    for (const place of figure.querySelectorAll(".class")) place.textContent = chosen;
    // The sum is the difference of the other two as they are shown, so that it adds up.
    const score = Number(scores[chosen].toFixed(2));
    const intercept = Number(model.intercept[chosen].toFixed(2));
    find(".sum").textContent = format(score - intercept, 2, "+");
    find(".intercept").textContent = format(intercept, 2, "+");
    find(".score").textContent = format(score, 2, "+");
    find(".bits").textContent = `${format(-Math.log2(proba[chosen]), 2)} bits`;
    for (const button of figure.querySelectorAll("[data-example]")) {
      button.setAttribute("aria-pressed", button.dataset.example === String(example));
    }
    announce(`Most probable: ${top}, with probability ${proba[top].toFixed(3)}`);
  }

  /* Colour 64 squares: by ink, or by what they say for and against, up to a limit. */
  function paint(picture, values, limit) {
    const signs = picture.querySelectorAll("text");
    picture.querySelectorAll("rect").forEach((square, i) => {
      const size = Math.abs(values[i]) / (limit || 1);
      square.setAttribute("fill-opacity", size.toFixed(3));
      if (!signs.length) return;
      square.setAttribute("class", values[i] > 0 ? "for" : "against");
      signs[i].textContent = size < 0.1 ? "" : values[i] > 0 ? "+" : "−";
    });
  }

  let isDue = false;
  function showSoon() {
    if (isDue) return;
    isDue = true;
    requestAnimationFrame(() => { isDue = false; show(); });
  }

  function begin(chosen) {
    strokes = [];
    cells = new Set();
    example = chosen;
    showSoon();
  }

  // What the reader does

  function place(event) {
    const { left, top, width, height } = sheet.getBoundingClientRect();
    return [16 * (event.clientX - left) / width, 16 * (event.clientY - top) / height];
  }

  sheet.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !event.isPrimary) return;
    event.preventDefault();
    sheet.focus({ preventScroll: true, focusVisible: false });
    sheet.setPointerCapture(event.pointerId);
    if (example !== null) begin(null);
    strokes.push([place(event)]);
    showSoon();
  });
  // A finger that draws does not scroll, and a quick stroke does not swallow the next tap.
  sheet.addEventListener("touchstart", (event) => event.preventDefault());
  sheet.addEventListener("pointermove", (event) => {
    if (!sheet.hasPointerCapture(event.pointerId)) return;
    const stroke = strokes[strokes.length - 1];
    const points = event.getCoalescedEvents?.() ?? [];  // older browsers lack it
    for (const point of points.length ? points : [event]) {
      const [x, y] = place(point), [lastX, lastY] = stroke[stroke.length - 1];
      if (Math.hypot(x - lastX, y - lastY) > 0.2) stroke.push([x, y]);
    }
    showSoon();
  });

  const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  sheet.addEventListener("keydown", (event) => {
    const move = moves[event.key], isErasing = ["Backspace", "Delete"].includes(event.key);
    if (event.key === " ") isPainting = true;
    else if (!move && !isErasing) return;
    event.preventDefault();
    if (example !== null && !move) begin(null);
    if (move) {
      column = Math.max(0, Math.min(15, column + move[0]));
      line = Math.max(0, Math.min(15, line + move[1]));
    }
    if (isPainting) cells.add(16 * line + column);
    else if (isErasing) cells.delete(16 * line + column);
    showSoon();
  });
  sheet.addEventListener("keyup", (event) => { if (event.key === " ") isPainting = false; });
  sheet.addEventListener("blur", () => { isPainting = false; });

  find(".clear").addEventListener("click", () => begin(null));
  for (const button of figure.querySelectorAll("[data-example]")) {
    button.addEventListener("click", () => begin(Number(button.dataset.example)));
  }
  find(".bars").addEventListener("change", showSoon);
  begin(model.examples.length - 1);
})();
