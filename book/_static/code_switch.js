/* A button beside the others of a page: all folded code is shown, on every page, until it is
   pressed again. Without this file each cell has its own fold. */
(() => {
  const KEY = "show-code";

  function start() {
    const place = document.querySelector(".article-header-buttons");
    const folds = document.querySelectorAll("details.hide.above-input");
    if (!place || !folds.length) return;
    const button = document.createElement("button");
    button.className = "btn btn-sm code-switch";
    button.textContent = "Code";
    button.title = "Show or fold all code";
    const show = (on) => {
      button.setAttribute("aria-pressed", on);
      folds.forEach((fold) => (fold.open = on));
    };
    button.addEventListener("click", () => {
      const on = button.getAttribute("aria-pressed") !== "true";
      try { localStorage.setItem(KEY, on); } catch { /* from a file some browsers keep nothing */ }
      show(on);
    });
    let kept = null;
    try { kept = localStorage.getItem(KEY); } catch { /* as above */ }
    show(kept === "true");
    place.prepend(button);
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
