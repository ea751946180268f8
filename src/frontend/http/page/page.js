// Follows the server's events and shows what differs. It asks for one stream and nothing else, and none while nobody looks.

import { say, count } from "./element.js";
import { Cards, pools } from "./cards.js";
import { Sandboxes, attention, findings, events } from "./lists.js";
import { way } from "./way.js";

const at = (id) => document.getElementById(id);

/// How long to wait where the server refuses the stream; a broken one the browser opens anew by itself.
const REFUSED = 5000;

/// How often changes are told in words at most, for who listens to the page.
const NEWS = 4000;

const parts = new Map();
let chosen = null;
let stream = null;
let again = null;
let paused = false;
let isDue = false;
let counted = null;
let toldAt = 0;

const cards = new Cards(at("card-list"), choose);
const sandboxes = new Sandboxes(choose);
const lists = {
  pools: pools(at("pool-list")),
  attention: attention(at("attention-list")),
  findings: findings(at("finding-list")),
  events: events(at("event-list")),
};

function state(word, text) {
  at("state").dataset.state = word;
  say(at("state"), text);
}

function open() {
  if (stream || paused || document.hidden) return;
  clearTimeout(again);
  stream = new EventSource("/events");
  stream.addEventListener("message", (event) => {
    state("live", "live");
    apply(JSON.parse(event.data));
  });
  stream.addEventListener("error", () => {
    if (!stream) return;
    state("waiting", "not connected");
    if (stream.readyState !== EventSource.CLOSED) return;
    close();
    again = setTimeout(open, REFUSED);
  });
}

function close() {
  stream?.close();
  stream = null;
}

/// Takes over what differs.
function apply({ all, put, gone }) {
  const names = all ? [...parts.keys()].filter((name) => !(name in put)) : gone;
  for (const name of names) parts.delete(name);
  for (const [name, part] of Object.entries(put)) parts.set(name, part);
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(draw);
}

/// The parts of one sort.
function of(sort) {
  const found = [];
  for (const [name, part] of parts) if (name.startsWith(sort)) found.push(part);
  return found;
}

function draw() {
  isDue = false;
  const all = of("sandbox/");
  const byId = new Map(all.map((sandbox) => [sandbox.id, sandbox]));
  const devices = of("device/");
  cards.show(devices, byId);
  sandboxes.show(all);
  const levels = of("pool/").sort((one, other) => one.name.localeCompare(other.name));
  lists.pools.show(levels.map((pool) => [pool.name, pool]));
  remarks();
  const told = parts.get("events") ?? [];
  const seen = new Map();
  // Two lines of one moment are two.
  lists.events.show(told.map((entry) => {
    const key = `${entry.at} ${entry.id ?? entry.device} ${entry.what}`;
    seen.set(key, (seen.get(key) ?? 0) + 1);
    return [`${key} ${seen.get(key)}`, entry];
  }));
  at("event-none").hidden = told.length > 0;
  const node = parts.get("node");
  if (node) {
    say(at("node"), node.name);
    document.title = `vfhook ${node.name}`;
  }
  const trouble = parts.get("trouble");
  at("trouble").hidden = trouble === undefined;
  say(at("trouble"), trouble ?? "");
  drawWay();
  news(all.length, devices);
}

function remarks() {
  const [needs, found] = [parts.get("attention"), parts.get("findings")];
  lists.attention.show((needs ?? []).map((text) => [text, text]));
  lists.findings.show((found ?? []).map((one) => [`${one.finding.code} ${one.finding.subject} ${one.finding.breaks}`, one]));
  const number = (needs ?? []).length + (found ?? []).length;
  say(at("remark-count"), found ? String(number) : "");
  at("remark-none").hidden = number > 0;
  say(at("remark-none"), found ? "All is as it should be." : "Nothing was looked for yet.");
}

/// Tells in a sentence what became different, now and then.
function news(given, devices) {
  const free = devices.filter(({ device }) => device.state === "free").length;
  const remarks = (parts.get("attention") ?? []).length + (parts.get("findings") ?? []).length;
  const now = `${count(given, "sandbox has", "sandboxes have")} networks; ${count(free, "device is", "devices are")} free; ${remarks ? count(remarks, "remark") : "no remark"}`;
  if (now === counted) return;
  counted = now;
  const wait = Math.max(0, toldAt + NEWS - Date.now());
  toldAt = Date.now() + wait;
  setTimeout(() => say(at("news"), counted), wait);
}

function choose(subject) {
  chosen = chosen === subject ? null : subject;
  drawWay();
}

function drawWay() {
  const sandbox = parts.get(`sandbox/${chosen}`);
  const device = parts.get(`device/${chosen}`);
  const isGone = chosen !== null && !sandbox && !device;
  cards.mark(chosen);
  sandboxes.mark(chosen);
  const hint = isGone ? "What was chosen is there no more." : "Choose a slot or a sandbox to see its way from its interface to the wire and to the host's rules.";
  say(at("way-hint"), hint);
  at("way-hint").hidden = Boolean(sandbox || device);
  if (drawWay.last !== (sandbox ?? device)) way(at("way-drawn"), sandbox, device);
  drawWay.last = sandbox ?? device;
}

at("pause").addEventListener("click", () => {
  paused = !paused;
  at("pause").setAttribute("aria-pressed", String(paused));
  say(at("pause"), paused ? "Go on" : "Pause");
  if (paused) {
    close();
    clearTimeout(again);
    state("paused", "paused");
  } else {
    state("waiting", "connecting");
    open();
  }
});

// Nobody looks at a hidden page, and a browser has few connections.
document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
open();
