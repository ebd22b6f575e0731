/* Under each table of numbers a button that hands it out as CSV, as it stands: sorted as it is, with
   the average that was chosen. Without this file tables can be read and copied. */
(() => {
  /* What a cell says: nothing where a dash stands, and without remarks in small type. */
  function said(cell) {
    const kept = [...cell.childNodes].filter((node) => node.nodeName !== "SMALL");
    const words = kept.map((node) => node.textContent).join(" ").replace(/\s+/g, " ").trim();
    return words === "\u2013" ? "" : words;
  }

  /* Rows of texts, one cell in each place: what spans several places stands in each of them. */
  function places(rows) {
    const grid = rows.map(() => []);
    rows.forEach((row, y) => {
      let x = 0;
      for (const cell of row.cells) {
        while (grid[y][x] !== undefined) x += 1;
        for (let dy = 0; dy < cell.rowSpan && y + dy < rows.length; dy += 1)
          for (let dx = 0; dx < cell.colSpan; dx += 1) grid[y + dy][x + dx] = said(cell);
        x += cell.colSpan;
      }
    });
    return grid;
  }

  function csv(table) {
    const heads = places([...table.tHead.rows]);
    const names = heads[0].map((_, x) => [...new Set(heads.map((row) => row[x]))].join(" ").trim());
    const body = [...table.tBodies].flatMap((part) => places([...part.rows]));
    const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    return [names, ...body].map((row) => `${row.map(quoted).join(",")}\n`).join("");
  }

  function offer(table, number) {
    if (!table.tHead) return;
    const button = document.createElement("button");
    button.className = "csv";
    button.textContent = "CSV";
    button.setAttribute("aria-label", "Download this table as CSV");
    button.addEventListener("click", () => {
      const link = document.createElement("a");
      const page = location.pathname.split("/").pop().replace(/\.html$/, "") || "page";
      link.download = `${page}-table-${number + 1}.csv`;
      link.href = `data:text/csv;charset=utf-8,${encodeURIComponent(csv(table))}`;
      link.click();
    });
    table.after(button);
  }

  const start = () => document.querySelectorAll(".cell_output table").forEach(offer);
  globalThis.tableAsCsv = csv;
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
