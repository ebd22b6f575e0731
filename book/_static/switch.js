/* Panels of which sliders show one at a time (dasheng_lib/book/figures/switch.py). Without this file all of
   them lie in a fold. */
(() => {
  function start(box, number) {
    const sections = [...box.querySelectorAll("section")];
    const controls = document.createElement("div");
    controls.className = "touch-controls";
    const inputs = Object.entries(JSON.parse(box.dataset.sliders)).map(([words, stops], place) => {
      const input = document.createElement("input");
      const label = document.createElement("label");
      const output = document.createElement("output");
      Object.assign(input, { type: "range", min: 0, max: stops.length - 1, step: 1 });
      input.value = stops.length >> 1;
      input.id = label.htmlFor = `switch-${number}-${place}`;
      output.htmlFor = input.id;
      label.append(`${words}: `, output);
      const both = document.createElement("div");
      both.append(label, input);
      controls.append(both);
      return { input, output, stops };
    });

    function show() {
      for (const { input, output, stops } of inputs) {
        output.textContent = stops[input.value];
        input.setAttribute("aria-valuetext", stops[input.value]);
      }
      const at = inputs.map(({ input }) => input.value).join(",");
      for (const section of sections) {
        section.hidden = !section.dataset.at.split(" ").includes(at);
        if (section.hidden) section.querySelectorAll("audio").forEach((audio) => audio.pause());
      }
    }
    const shown = document.createElement("div");
    shown.setAttribute("aria-live", "polite");
    shown.append(...sections);
    box.replaceChildren(controls, shown);
    controls.addEventListener("input", show);
    show();
  }

  const begin = () => document.querySelectorAll(".switch[data-sliders]").forEach(start);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
