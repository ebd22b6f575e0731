/* The cost calculator of "At scale" (dasheng_lib/book/figures/cost_calculator.py): a run is chosen, and
   what it takes is computed here as dasheng_lib/train/budget.py does. Without this file the table
   in its place stays open. */
(() => {
  const [HOUR, DAY] = [3600, 86400];

  function budget(p) {
    const flops = p.flops * p.batch * p.steps;
    const hours = flops / (p.peak * p.share) / HOUR;
    const seconds = (hours * HOUR) / p.count;
    const energy = (hours * p.watts * p.pue) / 1000;
    const bytes = p.hours * HOUR * p.stored;
    const clips = (p.steps * p.batch) / seconds;
    return {
      flops, bytes, energy,
      passes: (p.steps * p.batch * 10) / (p.hours * HOUR),
      accelerator_hours: hours,
      days: seconds / DAY,
      cost: hours * p.price,
      carbon: (energy * p.carbon) / 1000,
      shards: Math.ceil((p.hours * HOUR) / 10 / 1000),
      storage_cost: (bytes / 1e12) * p.storage_price,
      clips_a_second: clips,
      bytes_a_second: clips * 10 * p.stored,
      cores: clips / p.decoded,
      gradients_a_second: (((2 * (p.count - 1)) / p.count) * 4 * p.parameters * p.steps) / seconds,
      checkpoint: 12 * p.parameters,
    };
  }

  const shown = (value) => value.toLocaleString("en", { maximumSignificantDigits: 3 });

  function element(name, attributes, ...inside) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...inside);
    return made;
  }

  function start(box, number) {
    const told = JSON.parse(box.dataset.told);
    const plan = { ...told.plan };
    const inputs = {};
    const controls = element("div", { class: "touch-controls" });
    const add = (name, words, input) => {
      input.id = `cost-calculator-${number}-${name}`;
      inputs[name] = input;
      controls.append(element("div", {}, element("label", { for: input.id }, words), input));
    };
    const choice = (name, words, all, chosen) => {
      add(name, words, element("select", {}, ...Object.keys(all).map((one) => element("option", {}, one))));
      inputs[name].value = chosen;
    };
    choice("size", "size of the model", told.sizes, told.size);
    choice("accelerator", "kind of accelerator", told.accelerators, told.accelerator);
    for (const [name, , words, min, max] of [...told.fields, ["passes", 1, "passes over the audio", 1e-6, 1e9]])
      add(name, words, element("input", { type: "number", min, max, step: "any", required: "" }));
    controls.insertBefore(inputs.passes.parentNode, inputs.price.parentNode);

    const said = element("p", { "aria-live": "polite", class: "touch-said" });
    const cells = told.rows.map(() => element("td", {}));
    const body = told.rows.map(([, , words], k) =>
      element("tr", {}, element("th", { scope: "row" }, words), cells[k]));
    const table = element("table", {}, element("caption", {}, "What it takes."), element("tbody", {}, ...body));

    /* Fields say what the plan holds, but for the one that is being written in. */
    function fill(but) {
      const write = (name, value, digits) => {
        if (name !== but) inputs[name].value = Number(value.toPrecision(digits));
      };
      for (const [name, unit] of told.fields) write(name, plan[name] / unit, 12);
      write("passes", budget(plan).passes, 4);
    }

    function show() {
      const wrong = Object.values(inputs).find((input) => !input.checkValidity());
      const found = budget(plan);
      told.rows.forEach(([name, unit], k) => { cells[k].textContent = wrong ? "\u2013" : shown(found[name] / unit); });
      said.textContent = wrong
        ? `${wrong.labels[0].textContent}: a number from ${wrong.min} to ${wrong.max}.`
        : `${inputs.size.value} on ${shown(plan.count)} ${inputs.accelerator.value}: ${shown(found.days)} days, ` +
          `US$ ${shown(found.cost)} and ${shown(found.carbon)} kg of CO2 equivalent; the audio takes ` +
          `${shown(found.bytes / 1e12)} TB and is read at ${shown(found.bytes_a_second / 1e6)} MB/s.`;
    }

    controls.addEventListener("input", ({ target }) => {
      const name = Object.keys(inputs).find((key) => inputs[key] === target);
      if (name === "size") Object.assign(plan, told.sizes[target.value]);
      else if (name === "accelerator") Object.assign(plan, told.accelerators[target.value]);
      else if (!target.checkValidity()) return show();
      else if (name === "passes") plan.steps = (target.value * plan.hours * HOUR) / (10 * plan.batch);
      else plan[name] = target.value * told.fields.find(([field]) => field === name)[1];
      fill(name);
      show();
    });
    box.prepend(controls, said, table);
    const sizes = box.querySelector("details");
    sizes.open = false;
    addEventListener("beforeprint", () => { sizes.open = true; });
    fill();
    show();
  }

  const begin = () => document.querySelectorAll(".cost-calculator").forEach(start);
  globalThis.costCalculator = { budget };
  if (typeof document === "undefined") return;
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
