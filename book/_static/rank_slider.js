/* The rank slider of "Effective rank" (dasheng_lib/book/figures/rank_slider.py): a spectrum is chosen, rows
   are drawn from a Gaussian cloud that has it, and their RankMe is computed here as the library
   does. Without this file the table in its place stays open. */
(() => {
  const WIDTHS = [8, 16, 32, 64];
  const EPSILONS = [0, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2];
  const SLIDERS = {
    decay: ["Steepness: the k-th value is 1/k to the power of", 0, 2.5, 0.05, 1],
    width: ["Width D (columns)", 0, 3, 1, 3],
    rows: ["Rows N (clips) for each column", -1, 5, 1, 1],
    epsilon: ["Epsilon added to every share", 0, 6, 1, 0],
  };
  const SVG = "http://www.w3.org/2000/svg";

  const spectrum = (decay, D) => Float64Array.from({ length: D }, (_, k) => (k + 1) ** -decay);

  /* Exponential of the entropy of shares; what has no share adds nothing (0 log 0 = 0). */
  function rankme(values, epsilon = 0) {
    const total = values.reduce((a, b) => a + b, 0);
    const terms = Array.from(values, (v) => v / total + epsilon);
    return Math.exp(-terms.reduce((sum, p) => (p > 0 ? sum + p * Math.log(p) : sum), 0));
  }

  /* Uniform numbers from a seed (mulberry32), and from them normal ones (Box and Muller). */
  function normals(seed) {
    const uniform = () => {
      seed = (seed + 0x6d2b79f5) | 0;
      let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
    };
    return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  }

  function cloud(deviations, N, seed) {
    const normal = normals(seed);
    return Array.from({ length: N }, () => deviations.map((s) => s * normal()));
  }

  /* Of a matrix, falling: roots of the eigenvalues of Z'Z, by Jacobi's rotations. */
  function singularValues(Z) {
    const D = Z[0].length;
    const A = Array.from({ length: D }, () => new Float64Array(D));
    for (const z of Z) for (let i = 0; i < D; i++) for (let j = 0; j <= i; j++) A[i][j] += z[i] * z[j];
    for (let i = 0; i < D; i++) for (let j = 0; j < i; j++) A[j][i] = A[i][j];
    const trace = A.reduce((sum, row, i) => sum + row[i], 0);
    for (let sweep = 0, off = Infinity; sweep < 30 && off > 1e-15 * trace; sweep++) {
      off = 0;
      for (let p = 0; p < D; p++)
        for (let q = p + 1; q < D; q++) {
          off = Math.max(off, Math.abs(A[p][q]));
          if (Math.abs(A[p][q]) > 1e-17 * trace) rotate(A, p, q);
        }
    }
    const values = A.map((row, i) => row[i]).sort((a, b) => b - a);
    const rounding = values[0] * 4 * 2 ** -52; // below it nothing is known, as in the library
    return values.map((v) => (v > rounding ? Math.sqrt(v) : 0));
  }

  function rotate(A, p, q) {
    const theta = (A[q][q] - A[p][p]) / (2 * A[p][q]);
    const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1));
    const c = 1 / Math.hypot(t, 1);
    const s = t * c;
    for (let k = 0; k < A.length; k++)
      [A[k][p], A[k][q]] = [c * A[k][p] - s * A[k][q], s * A[k][p] + c * A[k][q]];
    const [P, Q] = [A[p], A[q]];
    for (let k = 0; k < A.length; k++) [P[k], Q[k]] = [c * P[k] - s * Q[k], s * P[k] + c * Q[k]];
  }

  function measured(decay, D, N, epsilon, seed = 1) {
    const true_ = spectrum(decay, D);
    const seen = singularValues(cloud(true_, N, seed));
    return {
      true_, seen, exact: rankme(true_), added: rankme(true_, epsilon),
      few: rankme(seen), both: rankme(seen, epsilon),
    };
  }

  function element(name, attributes, ...inside) {
    const made = attributes.xmlns ? document.createElementNS(SVG, name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) if (key !== "xmlns") made.setAttribute(key, value);
    made.append(...inside);
    return made;
  }

  /* Shares as bars (true) and dots (from the rows); R directions of equal share as a frame. */
  function draw(svg, m, epsilon) {
    const [left, bottom, W, H] = [38, 178, 350, 160];
    const shares = (values) => values.map((v) => v / values.reduce((a, b) => a + b, 0));
    const [bars, dots] = [shares(m.true_), shares(m.seen).map((p) => p + epsilon)];
    const D = bars.length;
    const top = 1.05 * Math.max(bars[0], dots[0], 1 / m.exact);
    const x = (k) => left + (W * k) / D;
    const y = (p) => bottom - (H * p) / top;
    const put = (name, attributes, ...inside) =>
      svg.append(element(name, { xmlns: SVG, ...attributes }, ...inside));
    const text = (at, down, words, anchor = "middle") =>
      put("text", { x: at, y: down, "text-anchor": anchor, fill: "currentColor", "font-size": 12 }, words);
    svg.replaceChildren();
    bars.forEach((p, k) => put("rect", { x: x(k), y: y(p), width: (0.8 * W) / D, height: bottom - y(p), fill: "#56B4E9" }));
    dots.forEach((p, k) => put("circle", { cx: x(k + 0.4), cy: y(p), r: 2.5, fill: "#D55E00" }));
    put("rect", { x: left, y: y(1 / m.exact), width: (W * m.exact) / D, height: bottom - y(1 / m.exact),
      fill: "none", stroke: "currentColor", "stroke-dasharray": "5 3", "stroke-width": 1.5 });
    put("path", { d: `M${left} 10V${bottom}H${left + W}`, fill: "none", stroke: "currentColor" });
    text(left - 4, y(0), "0", "end");
    text(left - 4, 22, `${(100 * top).toFixed(0)} %`, "end");
    [1, D].forEach((k) => text(x(k - 0.6), bottom + 14, k));
    text(left + W / 2, bottom + 16, "direction k");
    text(left + W, 22, "share of the spectrum", "end");
  }

  const percent = (value, of) => `${value < of ? "\u2212" : "+"}${Math.abs((100 * value) / of - 100).toFixed(1)} %`;

  function start(box, number) {
    let seed = 1;
    const inputs = {};
    const controls = element("div", { class: "touch-controls" });
    for (const [name, [words, min, max, step, value]] of Object.entries(SLIDERS)) {
      const id = `rank-slider-${number}-${name}`;
      inputs[name] = element("input", { type: "range", id, min, max, step, value });
      inputs[name].shown = element("output", { for: id });
      const label = element("label", { for: id }, `${words}: `, inputs[name].shown);
      controls.append(element("div", {}, label, inputs[name]));
    }
    const again = element("button", { type: "button" }, "Draw other rows");
    const svg = element("svg", { xmlns: SVG, viewBox: "0 0 400 200", role: "img" });
    const said = element("p", { "aria-live": "polite", class: "touch-said" });

    function show() {
      const decay = Number(inputs.decay.value);
      const D = WIDTHS[inputs.width.value];
      const N = D * 2 ** inputs.rows.value;
      const epsilon = EPSILONS[inputs.epsilon.value];
      const m = measured(decay, D, N, epsilon, seed);
      const words = { decay: decay.toFixed(2), width: D, epsilon: epsilon ? epsilon.toExponential() : "0" };
      words.rows = `${2 ** inputs.rows.value} (N = ${N})`;
      for (const [name, input] of Object.entries(inputs)) {
        input.shown.textContent = words[name];
        input.setAttribute("aria-valuetext", words[name]);
      }
      draw(svg, m, epsilon);
      said.textContent =
        `RankMe of this spectrum is ${m.exact.toFixed(2)} of at most ${D}. From ${N} rows it reads ` +
        `${m.few.toFixed(2)} (${percent(m.few, m.exact)}), with this epsilon ${m.added.toFixed(2)} ` +
        `(${percent(m.added, m.exact)}), with both ${m.both.toFixed(2)}.`;
      svg.setAttribute("aria-label", `The spectrum as bars. ${said.textContent}`);
    }
    again.addEventListener("click", () => { seed += 1; show(); });
    controls.addEventListener("input", show);
    const key = element("p", { class: "touch-key" });
    key.innerHTML = '<span style="color: #56B4E9">\u25a0</span> the spectrum · <span style="color: ' +
      '#D55E00">\u25cf</span> what the rows show · \u25ad as many equal shares as RankMe says';
    box.prepend(controls, again, svg, key, said);
    box.querySelector("details").open = false;
    show();
  }

  const begin = () => document.querySelectorAll(".rank-slider").forEach(start);
  globalThis.rankSlider = { spectrum, rankme, cloud, singularValues, measured };
  if (typeof document === "undefined") return;
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
