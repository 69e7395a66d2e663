"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const rows = JSON.parse(byId("devices").textContent);
  const tiles = all(".device");
  const texts = rows.map((device) => device.flat().join("\n").toLowerCase());
  const [filter, shown, nothing, tip, dialog] = ["filter", "shown", "nothing", "tip", "details"].map(byId);
  const legend = all(".legend button");

  // --- which devices are shown
  const show = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const off = new Set(legend.filter((button) => button.ariaPressed === "false").map((button) => button.value));
    let count = 0;
    tiles.forEach((tile, index) => {
      const matches = !off.has(tile.value) && words.every((word) => texts[index].includes(word));
      tile.parentElement.hidden = !matches;
      count += matches;
    });
    for (const box of all(".group, .numa, .node").reverse()) {
      box.hidden = !box.querySelector("li:not([hidden]) > .device");
    }
    nothing.hidden = count > 0 || tiles.length === 0;
    shown.textContent = `${count} of ${tiles.length} devices shown`;
    hideTip();
    for (const node of all(".node")) rove(node);
  };
  filter.addEventListener("input", show);
  for (const button of legend) {
    button.addEventListener("click", () => {
      button.ariaPressed = String(button.ariaPressed === "false");
      show();
    });
  }
  byId("everything").addEventListener("click", () => {
    filter.value = "";
    for (const button of legend) button.ariaPressed = "true";
    show();
    filter.focus();
  });

  // --- keys: one device of each node is a stop of Tab, the arrows go on from there
  const visible = (within) => all("li:not([hidden]) > .device", within);
  const rove = (node, chosen) => {
    const own = visible(node);
    const stop = chosen || own.find((tile) => tile.tabIndex === 0) || own[0];
    for (const tile of all(".device", node)) tile.tabIndex = tile === stop ? 0 : -1;
  };
  const middle = (tile) => {
    const box = tile.getBoundingClientRect();
    return [box.x + box.width / 2, box.y + box.height / 2];
  };
  const ways = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
  const neighbour = (from, [right, down]) => {
    const [x, y] = middle(from);
    let [best, nearest] = [null, Infinity];
    const nodes = all(".node:not([hidden])");
    const own = nodes.indexOf(from.closest(".node")); // a neighbour is not further away than in the next node
    for (const tile of nodes.slice(Math.max(own - 1, 0), own + 2).flatMap(visible)) {
      const [tileX, tileY] = middle(tile);
      const ahead = (tileX - x) * right + (tileY - y) * down;
      const aside = Math.abs((tileX - x) * down) + Math.abs((tileY - y) * right);
      const far = ahead + 4 * aside;
      if (ahead > 4 && far < nearest) [best, nearest] = [tile, far];
    }
    return best;
  };
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hideTip();
    if (event.ctrlKey || event.metaKey || event.altKey || dialog.open) return;
    const tile = event.target.closest(".device");
    if (event.key === "/" && event.target !== filter) {
      event.preventDefault();
      filter.select();
      filter.focus();
    } else if (event.key === "Escape" && event.target === filter && filter.value) {
      filter.value = "";
      show();
    } else if (tile) {
      const own = visible(tile.closest(".node"));
      const next = { Home: own[0], End: own.at(-1) }[event.key] || (ways[event.key] && neighbour(tile, ways[event.key]));
      if (next || ways[event.key]) event.preventDefault();
      if (next) next.focus();
    }
  });

  // --- details
  const fill = (list, lines) => {
    list.replaceChildren(
      ...lines.flatMap(([label, text]) => {
        const [term, value] = [document.createElement("dt"), document.createElement("dd")];
        [term.textContent, value.textContent] = [label, text];
        return [term, value];
      }),
    );
  };
  const of = (tile) => rows[tiles.indexOf(tile)];
  let [told, soon] = [null, 0];
  const hideTip = () => {
    clearTimeout(soon);
    if (told) told.removeAttribute("aria-describedby");
    told = null;
    tip.hidden = true;
  };
  const placeTip = () => {
    if (!told) return;
    const [box, own] = [told.getBoundingClientRect(), tip.getBoundingClientRect()];
    const within = (wanted, size, room) => `${Math.max(4, Math.min(wanted, room - size - 4))}px`;
    const right = box.right + own.width + 4 <= innerWidth;
    const beside = right || box.left - own.width >= 4;
    const left = !beside ? box.left : right ? box.right : box.left - own.width;
    const above = !beside && box.bottom + own.height > innerHeight;
    tip.style.left = within(left, own.width, innerWidth);
    tip.style.top = within(beside ? box.top : above ? box.top - own.height : box.bottom, own.height, innerHeight);
  };
  const showTip = (tile) => {
    if (tile === told || dialog.open) return;
    hideTip();
    told = tile;
    const list = document.createElement("dl");
    fill(list, of(tile));
    tip.replaceChildren(list);
    tip.hidden = false;
    tile.setAttribute("aria-describedby", "tip");
    placeTip();
  };
  const open = (tile) => {
    hideTip();
    byId("details-name").textContent = tile.name;
    fill(dialog.querySelector("dl"), of(tile));
    dialog.querySelector("pre").textContent = `kubectl pci describe ${tile.name}\nkubectl pci doctor ${tile.name}`;
    dialog.showModal();
  };
  for (const tile of tiles) {
    tile.addEventListener("mouseenter", () => {
      clearTimeout(soon);
      soon = setTimeout(showTip, 150, tile); // who only passes over it does not want it
    });
    tile.addEventListener("mouseleave", (event) => tip.contains(event.relatedTarget) || hideTip());
    tile.addEventListener("focus", () => { rove(tile.closest(".node"), tile); showTip(tile); });
    tile.addEventListener("blur", hideTip);
    tile.addEventListener("click", () => open(tile));
  }
  tip.addEventListener("mouseleave", hideTip);
  addEventListener("scroll", placeTip, { passive: true });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());

  // --- light or dark: the other one of what is seen
  const scheme = byId("scheme");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const other = () => {
    const seen = document.documentElement.dataset.scheme || (dark.matches ? "dark" : "light");
    return seen === "dark" ? "light" : "dark";
  };
  const offer = () => {
    scheme.textContent = other() === "dark" ? "Dark colours" : "Light colours";
  };
  scheme.addEventListener("click", () => {
    document.documentElement.dataset.scheme = other();
    offer();
  });
  dark.addEventListener("change", offer);
  offer();
  scheme.hidden = false;
  show();
})();
