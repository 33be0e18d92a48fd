// Small comforts of the pages, all of which work without it: copy buttons, clocks that go, tooltips that Escape closes.
"use strict";
(() => {
  const all = (selector) => document.querySelectorAll(selector);
  const say = (text) => {
    const place = document.getElementById("said");
    if (place) place.textContent = text;
  };

  const copy = async (text) => {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    const field = document.createElement("textarea");
    field.value = text;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    if (!done) throw new Error("refused");
  };
  for (const button of all("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const [word, text] = await copy(button.dataset.copy).then(
        () => ["Copied", "Copied to the clipboard."],
        () => ["Press Ctrl+C", "The browser refused to copy: select the text and copy it."],
      );
      button.textContent = word;
      say(text);
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
  }

  const start = performance.now();
  const since = (rate) => (performance.now() - start) * Number(rate);
  const INDIA = 330 * 60 * 1000;
  const tick = () => {
    for (const clock of all("[data-clock]")) {
      const zone = clock.dataset.zone || "IST";
      const at = new Date(Number(clock.dataset.clock) + since(clock.dataset.rate) + (zone === "IST" ? INDIA : 0));
      if (Number.isNaN(at.getTime())) continue;
      clock.textContent = `${at.toISOString().slice(0, 19).replace("T", " ")} ${zone}`;
    }
    for (const code of all("[data-codes]")) {
      const left = Number(code.dataset.left) - since(code.dataset.rate);
      const passed = left > 0 ? 0 : 1 + Math.floor(-left / 30000);
      const next = code.dataset.codes.split(" ")[passed - 1];
      const seconds = code.parentElement.querySelector("[data-seconds]");
      if (passed > 0) {
        code.textContent = next || "reload";
        const button = code.parentElement.querySelector("[data-copy]");
        if (button) [button.dataset.copy, button.hidden] = [next || "", !next];
      }
      if (seconds) seconds.textContent = String(Math.ceil((left + passed * 30000) / 1000));
    }
  };
  if (document.querySelector("[data-clock], [data-codes]")) setInterval(tick, 500);

  // A tooltip is in the way of somebody's pointer now and then.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const tip of all(".tip:hover, .tip:focus-within")) {
      tip.classList.add("closed");
      const open = () => tip.classList.remove("closed");
      tip.addEventListener("mouseleave", open, { once: true });
      tip.addEventListener("focusout", open, { once: true });
    }
  });

  // What is shown once is gone when its page is left, also from the pages that a browser keeps for Back.
  addEventListener("pagehide", () => {
    for (const once of all("[data-once]")) once.replaceChildren("no longer shown");
  });
})();
