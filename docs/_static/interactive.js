/* What the interactive figures share. They run from files, without any library; this
   object is the only global. */
"use strict";

const sksoftmaxFigures = {
  /* Return the figure of that name, with its controls shown, and a function that finds
     an element in it. */
  start(name) {
    const figure = document.getElementById(`interactive-${name}`);
    for (const control of figure.querySelectorAll("[hidden]")) control.hidden = false;
    figure.classList.add("live");
    return [figure, (selector) => figure.querySelector(selector)];
  },

  /* Return probabilities. The largest score is subtracted first, so that no exponential
     is too large. */
  softmax(scores) {
    const largest = Math.max(...scores);
    const exp = scores.map((score) => Math.exp(score - largest));
    const sum = exp.reduce((a, b) => a + b);
    return exp.map((value) => value / sum);
  },

  /* Return a number with a minus sign that is as wide as a plus sign. */
  format(number, digits, plus = "") {
    const text = Math.abs(number).toFixed(digits);
    if (Number(text) === 0) return text;
    return (number < 0 ? "−" : plus) + text;
  },

  /* Show probabilities as bars and numbers. Mark the bar of the true class, and the row
     of the chosen class. */
  showBars(figure, proba, truth, chosen) {
    figure.querySelectorAll(".bars .entry").forEach((entry, i) => {
      entry.querySelector(".bar").style.setProperty("--p", proba[i]);
      entry.querySelector(".value").textContent = proba[i].toFixed(3);
      entry.classList.toggle("true", i === truth);
      entry.classList.toggle("chosen", i === chosen);
    });
  },

  /* Return a function that tells screen readers the last result, once the reader has
     paused. The first call is the state of the page, which is not news. */
  announcer(figure) {
    let timer, isFirst = true;
    return (text) => {
      clearTimeout(timer);
      const tell = () => { figure.querySelector(".status").textContent = text; };
      if (!isFirst) timer = setTimeout(tell, 700);
      isFirst = false;
    };
  },
};
