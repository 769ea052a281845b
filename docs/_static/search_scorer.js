// The order of what a search finds: "score" adds to the defaults of Sphinx. Titles
// with all the words come first, and some parts of the site come before others.
var Scorer = (() => {
  const parts = [
    ["guide/", 2],
    ["generated/sksoftmax.dask.", -4],
    ["benchmarks/", -4],
    ["changelog", -4],
    ["errors", -4],
  ];
  const query = new URLSearchParams(location.search).get("q") || "";
  const words = query.toLowerCase().trim().split(/\s+/);

  return {
    score: ([docname, title, , , score, , kind]) => {
      const part = parts.find(([start]) => docname.startsWith(start));
      const isInTitle = (word) => title.toLowerCase().includes(word);
      const isTitled = kind !== "object" && words.every(isInTitle);
      return score + (part ? part[1] : 0) + (isTitled ? 5 : 0);
    },
    objNameMatch: 11,
    objPartialMatch: 6,
    objPrio: { 0: 15, 1: 5, 2: -5 },
    objPrioDefault: 0,
    title: 15,
    partialTitle: 7,
    term: 5,
    partialTerm: 2,
  };
})();
