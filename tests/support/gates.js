/* What is wrong with the page that this is run on, as a list of sentences; gates.py runs it. */
globalThis.gates = (() => {
  // The theme's side bar slides in and out: what is judged is where things come to lie.
  document.head.insertAdjacentHTML("beforeend", "<style>*, ::before { transition: none !important }</style>");
  const all = (selector) => [...document.querySelectorAll(selector)];
  const short = (element) => element.outerHTML.replace(/\s+/g, " ").slice(0, 110);

  function sideways() {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    const out = all("body *").filter((e) => e.getBoundingClientRect().right > width + 1);
    return [`${document.documentElement.scrollWidth - width} px wider, from ${out[0] && short(out[0])}`];
  }

  function pictures() {
    const said = new Map();
    for (const picture of all(".bd-article img, .bd-article svg[role=img]")) {
      const words = picture.alt ?? picture.getAttribute("aria-label") ?? picture.querySelector("title")?.textContent;
      if (!words?.trim() || words.includes("images/")) said.set(short(picture), "says nothing");
      else said.set(words, said.has(words) ? "is said of two pictures" : "");
    }
    return [...said].filter(([, wrong]) => wrong).map(([words, wrong]) => `"${words}" ${wrong}`);
  }

  function headings() {
    const levels = all(".bd-article :is(h1, h2, h3, h4, h5, h6)").map((e) => [Number(e.tagName[1]), e]);
    return levels
      .filter(([level], i) => level > (i ? levels[i - 1][0] : 0) + 1)
      .map(([, e]) => `${short(e)} skips a level`);
  }

  async function players() {
    const ready = (audio) =>
      new Promise((done) => {
        const look = () => done(audio.duration > 0 ? null : `${audio.duration} s`);
        if (audio.readyState > 0) return look();
        audio.addEventListener("loadedmetadata", look, { once: true });
        audio.addEventListener("error", () => done(audio.error.message), { once: true });
        audio.preload = "metadata";
        audio.load();
      });
    const wrong = await Promise.all(all("audio").map(async (audio) => [audio, await ready(audio)]));
    const first = all("audio").find((audio) => audio.checkVisibility());
    if (first) {
      await first.play().catch((error) => wrong.push([first, error.message]));
      first.pause();
    }
    return wrong.filter(([, said]) => said).map(([audio, said]) => `${audio.ariaLabel}: ${said}`);
  }

  function sliders() {
    return all("input[type=range]").flatMap((slider) => {
      const box = slider.closest(".touch, .switch, .cell_output") ?? slider.parentElement;
      const look = () => box.innerText + box.querySelector("svg")?.innerHTML;
      const before = look();
      slider.value = slider.value === slider.max ? slider.min : slider.max;
      slider.dispatchEvent(new Event("input", { bubbles: true }));
      return look() === before ? [`${short(slider)} moves nothing`] : [];
    });
  }

  function tables() {
    return all("table.sortable").flatMap((table) => {
      const heads = [...table.querySelectorAll("th.col_heading button")];
      const head = heads.find((one) => new Set(column(table, one)).size > 1);
      if (!head) return [`${short(table)} has nothing to sort by`];
      head.click();
      const down = column(table, head);
      head.click();
      const up = column(table, head);
      head.click();
      return down.join() === up.join() ? [`${short(head)} sorts nothing`] : [];
    });
  }
  const column = (table, button) =>
    [...table.tBodies[0].rows].map((row) => row.cells[button.parentElement.cellIndex].textContent);

  async function accessible() {
    // Folded code is like the code that is shown, and most of a page's elements; the rest unfolds.
    for (const fold of all("details"))
      if (fold.matches(".above-input")) fold.querySelector("pre")?.remove();
      else fold.open = true;
    return judged({});
  }

  /* What another theme and another width can spoil. */
  async function readable() {
    const { clientWidth, dataset } = document.documentElement;
    if (dataset.theme === "light") return ["the page did not turn dark"];
    const inside = (image) => image.clientWidth - 2 * parseFloat(getComputedStyle(image).paddingLeft);
    const narrow = all(".bd-article figure:not(.sound) > img")
      .filter((image) => inside(image) < Math.min(image.naturalWidth, clientWidth - 32))
      .map((image) => `a picture is ${inside(image)} px wide: ${image.alt.slice(0, 60)}`);
    const values = ["color-contrast", "link-in-text-block", "scrollable-region-focusable", "button-name"];
    return [...narrow, ...(await judged({ runOnly: { type: "rule", values } }))];
  }

  async function judged(options) {
    axe.configure({ noHtml: true }); // of each element that is looked at, sounds and pictures included
    const brief = { resultTypes: ["violations"], preload: false, elementRef: true };
    const found = await axe.run(document, { ...brief, ...options });
    const grave = found.violations.filter((v) => ["serious", "critical"].includes(v.impact));
    return grave.flatMap((v) => v.nodes.map((node) => `${v.id}: ${node.target} ${short(node.element)}`));
  }

  return { sideways, pictures, headings, players, sliders, tables, accessible, readable };
})();
