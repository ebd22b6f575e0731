/* Maps of clips, one for each encoder, to touch and to hear (dasheng_lib/book/figures/embedding_map.py).
   Without this file the table of nearest clips stands alone. */
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const SHAPES = {
    circle: "M-12 0a12 12 0 1 0 24 0a12 12 0 1 0-24 0z",
    plus: "M-5-14h10v9h9v10h-9v9h-10v-9h-9v-10h9z",
    square: "M-11-11h22v22h-22z",
    diamond: "M0-16 14 0 0 16-14 0z",
    up: "M0-15 14 11h-28z",
    down: "M0 15 14-11h-28z",
  };
  const SIDE = 1000;
  const REACH = 70; // how far from a point a touch still means it
  const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  function element(name, attributes = {}, ...children) {
    const made = name in { svg: 0, path: 0, g: 0, line: 0, circle: 0, text: 0, title: 0 }
      ? document.createElementNS(SVG, name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  /* The point nearest to a place, of those that `may` be chosen; -1 if there is none. */
  function closest(xy, [x, y], may = () => true) {
    let best = -1, least = Infinity;
    xy.forEach(([a, b], i) => {
      const far = Math.hypot(a - x, b - y);
      if (far < least && may(i, a - x, b - y)) [best, least] = [i, far];
    });
    return best;
  }

  /* The next point in a direction: the nearest within 45 degrees of it. */
  const next = (xy, from, [dx, dy]) => closest(xy, xy[from], (i, x, y) =>
    i !== from && x * dx + y * dy > 0 && x * dx + y * dy >= Math.abs(x * dy - y * dx));

  function start(box, number) {
    const { tasks, clips, sounds, maps } = JSON.parse(box.querySelector("script").textContent);
    const player = new Audio();
    const same = (i, j) => clips[i][1] === clips[j][1] && clips[i][2] === clips[j][2];
    const play = (i) => {
      player.src = `data:audio/mpeg;base64,${sounds[i]}`;
      player.play().catch(() => {}); // a browser may ask for a click first
    };
    const button = (i, words) => {
      const made = element("button", { type: "button" }, `\u25b6 ${words}`);
      made.addEventListener("click", () => play(i));
      return made;
    };
    const drawn = (shape, colour, more = {}) =>
      element("path", { d: SHAPES[shape], fill: colour, ...more });
    const chosen = element("span");
    const said = element("span", { "aria-live": "polite" });
    const views = maps.map((map, m) => {
      const points = map.xy.map(([x, y], i) => {
        const { colour, shape, title } = tasks[clips[i][1]];
        const words = `${clips[i][0]}, ${title}`;
        return element("g", {
          transform: `translate(${x} ${y})`, role: "option", id: `map-${number}-${m}-${i}`,
          "aria-selected": "false", "aria-label": words,
        }, element("title", {}, words), drawn(shape, colour));
      });
      const marks = element("g", { "aria-hidden": "true" });
      const svg = element("svg", {
        viewBox: `-40 -40 ${SIDE + 80} ${SIDE + 80}`, role: "listbox", tabindex: 0,
        "aria-label": `Map by ${map.name}: ${clips.length} clips. Arrow keys go from clip to clip.`,
      }, ...points, marks);
      const name = element("figcaption");
      const near = element("ol");
      const figure = element("figure", {}, name, svg, near);
      svg.addEventListener("click", (event) => {
        const screen = svg.getScreenCTM().inverse();
        const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(screen);
        const i = closest(map.xy, [at.x, at.y]);
        if (Math.hypot(map.xy[i][0] - at.x, map.xy[i][1] - at.y) > REACH) return;
        choose(i);
        play(i);
      });
      svg.addEventListener("keydown", (event) => {
        let i = now;
        if (event.key in STEPS) i = next(map.xy, now, STEPS[event.key]);
        else if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        if (i < 0) return;
        choose(i);
        play(i);
      });
      return { map, figure, svg, points, marks, name, near };
    });

    let now = -1;
    function choose(i) {
      const counts = views.map(({ map, svg, points, marks, name, near }) => {
        if (now >= 0) points[now].setAttribute("aria-selected", "false");
        points[i].setAttribute("aria-selected", "true");
        svg.setAttribute("aria-activedescendant", points[i].id);
        const [x, y] = map.xy[i];
        marks.replaceChildren(element("circle", { cx: x, cy: y, r: 30, class: "chosen" }));
        near.replaceChildren();
        map.near[i].forEach((j, place) => {
          const [a, b] = map.xy[j];
          marks.append(
            element("line", { x1: x, y1: y, x2: a, y2: b }),
            element("circle", { cx: a, cy: b, r: 24, "data-clip": j }),
            element("text", { x: a + 28, y: b - 14 }, `${place + 1}`));
          const task = clips[i][1] === clips[j][1] ? "another class" : tasks[clips[j][1]].title;
          near.append(element("li", {}, button(j, clips[j][0]), same(i, j) ? " same class" : ` ${task}`));
        });
        const count = map.near[i].filter((j) => same(i, j)).length;
        const words = `: ${count} of ${map.near[i].length} nearest of its class`;
        name.replaceChildren(element("b", {}, map.name), words);
        return `${map.name} ${count}`;
      });
      now = i;
      chosen.replaceChildren(button(i, clips[i][0]));
      said.textContent = ` ${tasks[clips[i][1]].title}. Of its class among its ` +
        `${maps[0].near[i].length} nearest: ${counts.join(", ")}.`;
    }

    const key = element("ul", { class: "touch-key" }, ...tasks.map(({ title, colour, shape }) =>
      element("li", {}, element("svg", { viewBox: "-18 -18 36 36", "aria-hidden": "true" },
        drawn(shape, colour)), title)));
    const which = element("fieldset", {}, element("legend", {}, "Map"), ...views.map((view, m) => {
      const id = `map-${number}-${m}`;
      const radio = element("input", { type: "radio", name: `map-${number}`, id });
      radio.addEventListener("change", () =>
        views.forEach((other) => other.figure.classList.toggle("aside", other !== view)));
      radio.checked = !m;
      view.figure.classList.toggle("aside", m > 0);
      return element("label", { for: id }, radio, ` ${view.map.name}`);
    }));
    const shown = element("div", { class: "maps" }, ...views.map(({ figure }) => figure));
    box.prepend(key, element("p", { class: "touch-said" }, chosen, said), which, shown);
    choose(0);
  }

  const begin = () => document.querySelectorAll(".embedding-map").forEach(start);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
