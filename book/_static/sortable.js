/* Tables of the class "sortable": a click on a heading sorts by its column, the highest first, then
   the lowest, then as it was. Where a table says its scores and domains (data-averages, see
   dasheng_lib/book/figures/average_choice.py), a reader chooses what its first column averages. Without this file
   they are plain tables. */
(() => {
  const NEXT = { none: "descending", descending: "ascending", ascending: "none" };

  function compare(a, b, column, sign) {
    const [x, y] = [a, b].map((row) => row.cells[column].textContent.trim());
    const [p, q] = [parseFloat(x), parseFloat(y)];
    if (isNaN(p) || isNaN(q)) return isNaN(p) - isNaN(q) || sign * x.localeCompare(y);
    return sign * (p - q);
  }

  function sortable(table) {
    const body = table.tBodies[0];
    const printed = [...body.rows];
    const heads = [...table.tHead.rows].pop().querySelectorAll("th.col_heading");
    function sort(head, state) {
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      if (state !== "none") head.setAttribute("aria-sort", state);
      const sign = state === "ascending" ? 1 : -1;
      const rows = [...printed];
      if (state !== "none") rows.sort((a, b) => compare(a, b, head.cellIndex, sign));
      body.append(...rows);
    }
    for (const head of heads) {
      const button = document.createElement("button");
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () =>
        sort(head, NEXT[head.getAttribute("aria-sort") || "none"]));
    }
    if (table.caption) table.caption.prepend("A click on a heading sorts. ");
    if (table.dataset.averages) choosable(table, printed, heads[0], sort);
  }

  const there = (values) => values.filter((value) => value !== null);
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  function median(values) {
    const [half, sorted] = [(values.length - 1) / 2, [...values].sort((a, b) => a - b)];
    return (sorted[Math.floor(half)] + sorted[Math.ceil(half)]) / 2;
  }

  /* Each task's scores put on a scale of its own: the same table, column by column. */
  function scaled(scores, scale) {
    const columns = scores[0].map((_, task) => scale(there(scores.map((row) => row[task]))));
    return scores.map((row) => row.map((v, task) => (v === null ? v : columns[task](v))));
  }
  const SCALES = {
    rank: (values) => (v) => 0.5 + mean([0, 1].map((tied) =>
      values.filter((other) => other > v || (tied && other === v)).length)),
    stretched: (values) => (v) =>
      (100 * (v - Math.min(...values))) / (Math.max(...values) - Math.min(...values)),
    z: (values) => {
      const [centre, squares] = [mean(values), mean(values.map((v) => v * v))];
      const deviation = Math.sqrt(squares - centre * centre);
      return (v) => Math.max(-1, Math.min(1, (v - centre) / deviation));
    },
  };
  const overTasks = (scores) => scores.map((row) => mean(there(row)));
  const overDomains = (scores, domains) => scores.map((row) => mean([...new Set(domains)].map(
    (of) => mean(there(row.filter((_, task) => domains[task] === of))))));
  const zeros = (scores) => scores.map((row) => row.map((v) => v ?? 0));

  const AVERAGES = {
    "mean of tasks": overTasks,
    "mean of domains": overDomains,
    "mean of domains, no score being 0": (scores, domains) => overDomains(zeros(scores), domains),
    "median of tasks": (scores) => scores.map((row) => median(there(row))),
    "mean rank, 1 the best": (scores) => overTasks(scaled(scores, SCALES.rank)),
    "mean from worst to best": (scores) => overTasks(scaled(scores, SCALES.stretched)),
    "mean z-score": (scores) => overTasks(scaled(scores, SCALES.z)),
  };

  /* Places by an average, 1 for the best; equals share the better one. */
  const places = (values, up) => values.map((v) =>
    1 + values.filter((other) => (up ? other < v : other > v)).length);

  function choosable(table, printed, head, sort) {
    const { domains, scores } = JSON.parse(table.dataset.averages);
    const whole = scores.every((row) => there(row).length === row.length);
    const several = new Set(domains).size > 1;
    const names = Object.keys(AVERAGES).filter((name) =>
      (several || !name.includes("domains")) && (!whole || !name.includes("no score")));
    const select = document.createElement("select");
    select.append(...names.map((name) => new Option(name)));
    const label = document.createElement("label");
    label.append("Average: ", select);
    const said = document.createElement("span");
    said.setAttribute("aria-live", "polite");
    const line = document.createElement("p");
    line.className = "average-choice";
    line.append(label, " ", said);
    table.before(line);
    const usual = places(overTasks(scores));
    select.addEventListener("change", () => {
      const up = select.value.includes("rank");
      const values = AVERAGES[select.value](scores, domains);
      const now = places(values, up);
      const digits = select.value.includes("z-") ? 2 : 1;
      printed.forEach((row, i) => {
        const cell = row.cells[head.cellIndex];
        const count = there(scores[i]).length;
        cell.textContent = isNaN(values[i]) ? "\u2013" : values[i].toFixed(digits);
        if (count < scores[i].length) {
          const missing = document.createElement("small");
          missing.textContent = `${count} of ${scores[i].length}`;
          cell.append(document.createElement("br"), missing);
        }
        cell.style.fontWeight = now[i] === 1 ? "bold" : "normal";
      });
      (head.querySelector("button") || head).textContent = select.value;
      sort(head, up ? "ascending" : "descending");
      const moved = now.filter((place, i) => place !== usual[i]).length;
      const first = printed.filter((_, i) => now[i] === 1).map((row) => row.cells[0]);
      said.textContent = `First: ${first.map((cell) => cell.textContent.trim()).join(", ")}. ` +
        `Another place than by the mean of tasks: ${moved} of ${printed.length}.`;
    });
  }

  const start = () => document.querySelectorAll("table.sortable").forEach(sortable);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
