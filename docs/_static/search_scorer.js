// The order of what a search finds. Sphinx puts its default scores in "Scorer";
// "score" adds to them where the title has the words, and ranks parts of the site.
const PARTS = [
  ["guide/", 2],
  ["generated/sksoftmax.dask.", -4],
  ["benchmarks/", -4],
];
const WORDS = (new URLSearchParams(location.search).get("q") || "").toLowerCase().trim();

var Scorer = {
  score: ([docname, title, , , score, , kind]) => {
    const part = PARTS.find(([start]) => docname.startsWith(start));
    const inTitle = kind !== "object" && title.toLowerCase().includes(WORDS);
    return score + (part ? part[1] : 0) + (inTitle ? 5 : 0);
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
