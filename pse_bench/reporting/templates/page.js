"use strict";
(() => {
  const page = document.documentElement;

  // ---- light and dark
  const theme = document.getElementById("theme");
  const dark = () =>
    page.dataset.theme ? page.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const show = () => {
    theme.setAttribute("aria-pressed", String(dark()));
    theme.textContent = dark() ? "Light" : "Dark";
  };
  theme.addEventListener("click", () => {
    page.dataset.theme = dark() ? "light" : "dark";
    show();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
  show();

  // ---- tables: a head sorts, the best first
  const keyOf = (row, column) => {
    const cell = row.cells[column];
    if (cell.dataset.value === undefined) return cell.textContent.trim().toLowerCase();
    return cell.dataset.value === "" ? null : Number(cell.dataset.value);
  };
  const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b) : a - b);
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      head.querySelector("button").addEventListener("click", () => {
        const before = head.getAttribute("aria-sort");
        const down = before === "none" ? head.dataset.first === "descending" : before === "ascending";
        heads.forEach((other) => other.setAttribute("aria-sort", "none"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const rows = [...table.tBodies[0].rows];
        rows.sort((one, other) => {
          const [a, b] = [keyOf(one, column), keyOf(other, column)];
          if (a === null || b === null) return (a === null) - (b === null); // no value: last, whichever way
          return down ? compare(b, a) : compare(a, b);
        });
        table.tBodies[0].append(...rows);
      });
    });
  }

  // ---- boards: which systems are shown, in the table and in the plot
  for (const form of document.querySelectorAll("form.filters")) {
    const rows = [...document.getElementById(form.dataset.filters).tBodies[0].rows];
    const filter = () => {
      const asked = [...form.querySelectorAll("select")].filter((select) => select.value);
      const shown = (row) =>
        asked.every((select) => row.getAttribute(`data-${select.name.replace("_", "-")}`) === select.value) &&
        (form.elements.references.checked || row.dataset.kind !== "reference");
      const names = new Set(rows.filter(shown).map((row) => row.dataset.of));
      for (const element of document.querySelectorAll("[data-of], [data-point]")) {
        element.style.display = names.has(element.dataset.of ?? element.dataset.point) ? "" : "none";
      }
      form.querySelector("output").textContent = `${names.size} of ${rows.length} systems`;
    };
    form.addEventListener("change", filter);
    form.addEventListener("submit", (event) => event.preventDefault());
    filter();
  }

  // ---- definitions: where the reader is, instead of far below
  const popover = document.getElementById("popover");
  if (popover.showPopover) {
    for (const link of document.querySelectorAll("a.what")) {
      link.addEventListener("click", (event) => {
        const found = document.getElementById(link.getAttribute("href").slice(1));
        if (!found) return;
        event.preventDefault();
        popover.replaceChildren(...[...found.childNodes].map((node) => node.cloneNode(true)));
        popover.showPopover();
      });
    }
  }

  // ---- sounds and pictures, when somebody looks
  const media = JSON.parse(document.getElementById("media").textContent);
  const load = (place) => {
    for (const element of place.querySelectorAll("[data-media]")) {
      element.preload = "auto";
      element.src = media[element.dataset.media];
      element.removeAttribute("data-media");
    }
  };
  for (const place of document.querySelectorAll("details.case")) {
    if (place.open) load(place);
    place.addEventListener("toggle", () => place.open && load(place));
  }
  for (const panel of document.querySelectorAll(".panel")) {
    if (!panel.closest("details.case")) load(panel);
    const sounds = [...panel.querySelectorAll("audio")];
    const seconds = Number(panel.dataset.seconds);
    let heard = sounds[0];
    const mark = (sound) => {
      heard = sound;
      panel.style.setProperty("--at", `${(100 * sound.currentTime) / seconds}%`);
      panel.classList.add("heard");
    };
    for (const sound of sounds) {
      let frame = 0;
      const follow = () => {
        mark(sound);
        frame = requestAnimationFrame(follow);
      };
      sound.addEventListener("play", () => {
        document.querySelectorAll("audio").forEach((other) => other !== sound && other.pause());
        follow();
      });
      sound.addEventListener("pause", () => cancelAnimationFrame(frame));
      sound.addEventListener("seeked", () => mark(sound));
    }
    panel.addEventListener("click", (event) => {
      const place = event.target.closest(".timed");
      if (!place || !heard) return;
      const box = place.getBoundingClientRect();
      const own = place.previousElementSibling.querySelector("audio") || heard;
      own.currentTime = (seconds * (event.clientX - box.left)) / box.width;
      mark(own);
    });
  }
})();
