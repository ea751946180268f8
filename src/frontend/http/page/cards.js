// Draws cards with a slot for each VF, and pools with their levels. A slot is a button; the arrows go from one to the next.

import { element, say, mark, Keyed, who } from "./element.js";

/// A few words for the states that there are; every other is a reason why a device is unusable.
const STATES = {
  free: "free",
  leased: "leased",
  reserved: "moving",
  releasing: "moving",
  "needs cleanup": "stuck",
  "kept for a pod": "kept",
};

export class Cards {
  constructor(parent, choose) {
    this.choose = choose;
    this.cards = new Keyed(parent, (name) => this.card(name));
  }

  /// Shows devices by the card that they are on. `sandboxes` tells whose they are.
  show(devices, sandboxes) {
    const cards = new Map();
    for (const part of devices) {
      const { device } = part;
      const name = device.pf ?? "";
      if (!cards.has(name)) cards.set(name, []);
      cards.get(name).push(part);
    }
    const pairs = [...cards].sort(([one], [other]) => one.localeCompare(other));
    for (const [, parts] of pairs) {
      parts.sort((one, other) => (one.device.vf ?? 0) - (other.device.vf ?? 0) || one.device.address.localeCompare(other.device.address));
    }
    this.sandboxes = sandboxes;
    // What is on a card is an array of its own each time; its slots know what differs.
    this.cards.show(pairs);
  }

  /// Shows which slots are the chosen one's.
  mark(chosen) {
    for (const slot of document.querySelectorAll("#card-list .slot")) {
      mark(slot, "aria-pressed", String(chosen !== null && (slot.dataset.sandbox === chosen || slot.dataset.address === chosen)));
    }
  }

  card(name) {
    const title = name ? element("h3", {}, name) : element("h3", {}, "Whole devices");
    const level = element("span", { class: "count" });
    const slots = element("div", { class: "slots", role: "group", "aria-label": `${name ? "VFs of " : ""}${title.textContent}` });
    slots.addEventListener("keydown", (event) => walk(event, slots));
    const list = new Keyed(slots, (address) => this.slot(address));
    const node = element("article", { class: "card" }, element("div", { class: "head" }, title, level), slots);
    const tell = (parts) => {
      const given = parts.filter(({ device }) => device.state !== "free").length;
      say(level, `${given} of ${parts.length} in use`);
      list.show(parts.map((part) => [part.device.address, part]));
      if (!slots.querySelector('[tabindex="0"]')) slots.firstElementChild?.setAttribute("tabindex", "0");
    };
    return { node, tell };
  }

  slot(address) {
    const node = element("button", { class: "slot", type: "button", tabindex: "-1", "data-address": address, "aria-pressed": "false" });
    node.addEventListener("click", () => this.choose(node.dataset.sandbox || address));
    const tell = ({ device, pools }) => {
      const state = STATES[device.state] ?? "unusable";
      mark(node, "data-state", state);
      mark(node, "data-sandbox", device.sandbox);
      say(node, device.vf === undefined ? device.function : String(device.vf));
      const holder = this.sandboxes.get(device.sandbox);
      const whose = device.sandbox ? `, ${holder ? who(holder) : device.sandbox}` : "";
      const label = `${device.function}, ${address}, pool ${pools.join(", ")}: ${device.state}${whose}`;
      mark(node, "aria-label", label);
      mark(node, "title", label);
    };
    return { node, tell };
  }
}

/// One slot of a card is reached by Tab, its neighbours by the arrows.
function walk(event, slots) {
  const all = [...slots.children];
  const at = all.indexOf(document.activeElement);
  if (at < 0) return;
  const row = all.filter((slot) => slot.offsetTop === all[0].offsetTop).length;
  const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: row, ArrowUp: -row, Home: -at, End: all.length - 1 - at };
  const next = all[at + (steps[event.key] ?? NaN)];
  if (!next) return;
  event.preventDefault();
  for (const slot of all) mark(slot, "tabindex", slot === next ? "0" : "-1");
  next.focus();
}

/// Levels of pools.
export function pools(parent) {
  return new Keyed(parent, (name) => {
    const title = element("strong", {}, name);
    const words = element("span", { class: "count" });
    const meter = element("meter", { min: "0", "aria-label": `devices of ${name} in use` });
    const node = element("li", {}, element("div", { class: "head" }, title, words), meter);
    const tell = (pool) => {
      const kind = pool.bind ? `${pool.kind}, ${pool.bind}` : pool.kind;
      if (pool.free === null) {
        say(words, `${kind}: ${pool.given} made, as needed`);
        meter.hidden = true;
        return;
      }
      say(words, `${kind}: ${pool.free} of ${pool.all} free`);
      meter.hidden = false;
      meter.max = Math.max(pool.all, 1);
      meter.value = pool.all - pool.free;
    };
    return { node, tell };
  });
}
