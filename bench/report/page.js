"use strict";
// Sort and filter for the tables of cases; without this script they are plain, complete tables.
(() => {
  const tables = [...document.querySelectorAll("table.cases")];
  const form = document.querySelector("form.filters");
  if (!tables.length || !form) return;

  const text = (row, column) => row.cells[column].textContent.trim();
  const number = (value) => {
    const found = parseFloat(value.replace(/,/g, ""));
    return Number.isNaN(found) ? Infinity : found;
  };

  const sort = (table, head, column) => {
    const down = head.getAttribute("aria-sort") === "ascending";
    const numeric = head.classList.contains("n");
    const body = table.tBodies[0];
    const keyed = [...body.rows].map((row) => [numeric ? number(text(row, column)) : text(row, column), row]);
    // Cells without a value stay last, whichever way the column is sorted.
    const order = (a, b) => {
      if (a === b) return 0;
      if (a === Infinity || b === Infinity) return a === Infinity ? 1 : -1;
      const less = numeric ? a - b : a.localeCompare(b);
      return down ? -less : less;
    };
    keyed.sort((a, b) => order(a[0], b[0]));
    body.append(...keyed.map(([, row]) => row));
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
  };

  for (const table of tables) {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      button.addEventListener("click", () => sort(table, head, column));
      head.replaceChildren(button);
    });
  }

  // For each filter: the column that it stands for in each table that has it.
  const columns = new Map();
  for (const table of tables) {
    for (const head of table.querySelectorAll("th[data-filter]")) {
      const name = head.dataset.filter;
      if (!columns.has(name)) columns.set(name, new Map());
      columns.get(name).set(table, head.cellIndex);
    }
  }

  const chosen = new Map();
  const status = form.querySelector(".count");
  const apply = () => {
    let shown = 0, all = 0;
    for (const table of tables) {
      const wanted = [...chosen].filter(([, value]) => value)
        .map(([name, value]) => [columns.get(name).get(table), value]);
      for (const row of table.tBodies[0].rows) {
        row.hidden = !wanted.every(([column, value]) => column !== undefined && text(row, column) === value);
        shown += row.hidden ? 0 : 1;
        all += 1;
      }
    }
    status.textContent = `${shown} of ${all} cases shown`;
  };

  for (const [name, places] of columns) {
    const values = new Set();
    for (const [table, column] of places) {
      for (const row of table.tBodies[0].rows) values.add(text(row, column));
    }
    const label = document.createElement("label");
    const select = document.createElement("select");
    label.append(name, select);
    select.name = name.toLowerCase();
    select.append(new Option("all", ""), ...[...values].sort().map((value) => new Option(value, value)));
    select.addEventListener("change", () => { chosen.set(name, select.value); apply(); });
    form.append(label);
  }
  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  apply();
})();
