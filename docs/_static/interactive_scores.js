/* Move three scores and a temperature; see the probabilities and the loss. */
"use strict";

(() => {
  const { start, softmax, format, showBars, announcer } = sksoftmaxFigures;
  const [figure, find] = start("scores");
  const announce = announcer(figure);
  const [temperature, ...sliders] = [...figure.querySelectorAll("[type=range]")].reverse();
  sliders.reverse();
  const names = [...figure.querySelectorAll(".bars .name")].map((name) => name.textContent);
  const corners = [[60, 14], [12, 97], [108, 97]]; // as in the extension
  const first = sliders.map((slider) => slider.defaultValue);

  function show() {
    const scores = sliders.map((slider) => Number(slider.value));
    const degree = 2 ** Number(temperature.value); // the slider moves its logarithm
    const proba = softmax(scores.map((score) => score / degree));
    const truth = Number(find("[name=truth]:checked").value);
    // The logarithm of the sum of exponentials, less a score: right where p rounds to 0.
    const largest = Math.max(...scores);
    const sum = scores.reduce((a, score) => a + Math.exp((score - largest) / degree), 0);
    const nats = Math.log(sum) + (largest - scores[truth]) / degree;

    showBars(figure, proba, truth);
    sliders.forEach((slider, i) => {
      slider.nextElementSibling.textContent = format(scores[i], 1);
    });
    temperature.nextElementSibling.textContent = degree.toFixed(2);
    temperature.setAttribute("aria-valuetext", degree.toFixed(2));
    find(".result .class").textContent = names[truth];
    find(".nats").textContent = `${nats.toFixed(3)} nats`;
    find(".bits").textContent = `${(nats / Math.LN2).toFixed(3)} bits`;
    const point = find("circle").style;
    ["--x", "--y"].forEach((name, axis) => {
      const sum = proba.reduce((a, p, i) => a + p * corners[i][axis], 0);
      point.setProperty(name, `${sum}px`);
    });
    figure.querySelectorAll(".equal").forEach((lines, i) => {
      lines.classList.toggle("chosen", i === truth);
    });
    // All scores move by one, or none does.
    const isInside = (slider, value) => value >= slider.min && value <= slider.max;
    for (const button of figure.querySelectorAll("[data-add]")) {
      const step = Number(button.dataset.add);
      button.disabled = !sliders.every((slider, i) => isInside(slider, scores[i] + step));
    }
    for (const button of figure.querySelectorAll("[data-double]")) {
      const step = Number(button.dataset.double);
      button.disabled = !isInside(temperature, Number(temperature.value) + step);
    }
    const list = names.map((name, i) => `${name} ${proba[i].toFixed(3)}`).join(", ");
    announce(`${list}; loss ${nats.toFixed(3)} nats`);
  }

  function onClick(selector, change) {
    for (const button of figure.querySelectorAll(selector)) {
      button.addEventListener("click", () => {
        change(button);
        show();
      });
    }
  }

  onClick("[data-add]", (button) => {
    for (const slider of sliders) slider.value = Number(slider.value) + Number(button.dataset.add);
  });
  onClick("[data-double]", (button) => {
    temperature.value = Number(temperature.value) + Number(button.dataset.double);
  });
  onClick(".clear", () => {
    sliders.forEach((slider, i) => { slider.value = first[i]; });
    temperature.value = 0;
  });
  figure.addEventListener("input", show);
  show();
})();
