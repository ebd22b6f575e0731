/* Tables of the class "sortable": a click on a heading sorts by its column, the highest first, then
   the lowest, then as it was. Without this file they are plain tables. */
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
    for (const head of heads) {
      const button = document.createElement("button");
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const state = NEXT[head.getAttribute("aria-sort") || "none"];
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        if (state !== "none") head.setAttribute("aria-sort", state);
        const sign = state === "ascending" ? 1 : -1;
        const rows = [...printed];
        if (state !== "none") rows.sort((a, b) => compare(a, b, head.cellIndex, sign));
        body.append(...rows);
      });
    }
    if (table.caption) table.caption.prepend("A click on a heading sorts. ");
  }

  const start = () => document.querySelectorAll("table.sortable").forEach(sortable);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
