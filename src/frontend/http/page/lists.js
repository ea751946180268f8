// Shows sandboxes in a table, and lists of what needs attention, of findings with their cures, and of what was done last.

import { element, say, mark, Keyed, moment, who } from "./element.js";

/// Rows that are shown unasked: more are many to read, and to draw.
const ROWS = 100;

export class Sandboxes {
  constructor(choose) {
    this.choose = choose;
    this.all = [];
    this.shown = ROWS;
    this.chosen = null;
    this.find = document.getElementById("find");
    this.more = document.getElementById("more");
    this.rows = new Keyed(document.getElementById("sandbox-list"), (id) => this.row(id));
    this.find.addEventListener("input", () => this.draw());
    this.more.addEventListener("click", () => {
      this.shown = Infinity;
      this.draw();
    });
  }

  show(sandboxes) {
    this.all = sandboxes.sort((one, other) => other.created - one.created || (one.id < other.id ? -1 : 1));
    this.draw();
  }

  mark(chosen) {
    this.chosen = chosen;
    for (const [id, { node }] of this.rows.known) mark(node, "aria-current", id === chosen ? "true" : null);
  }

  draw() {
    const word = this.find.value.trim().toLowerCase();
    const found = word ? this.all.filter((sandbox) => words(sandbox).includes(word)) : this.all;
    this.rows.show(found.slice(0, this.shown).map((sandbox) => [sandbox.id, sandbox]));
    this.mark(this.chosen);
    const left = found.length - this.shown;
    this.more.hidden = !(left > 0);
    say(this.more, left > 0 ? `Show ${left} more` : "");
    say(document.getElementById("sandbox-count"), word ? `${found.length} of ${this.all.length}` : String(this.all.length));
    document.getElementById("sandbox-none").hidden = this.all.length > 0;
  }

  row(id) {
    const name = element("button", { type: "button", class: "name" });
    name.addEventListener("click", () => this.choose(id));
    const [has, service, since, state] = [element("td"), element("td"), element("td"), element("td")];
    const list = new Keyed(has, () => {
      const node = element("div", { class: "had" });
      const tell = (text) => say(node, text);
      return { node, tell };
    });
    const node = element("tr", {}, element("th", { scope: "row" }, name), has, service, since, state);
    const tell = (sandbox) => {
      say(name, who(sandbox));
      mark(name, "title", sandbox.id);
      list.show(sandbox.networks.map((had) => [had.interface, [had.interface, had.network, ...had.addresses].join(" ")]));
      say(service, sandbox.service ? `${sandbox.service.interface} ${sandbox.service.sources.join(" ")}` : "none");
      say(since, moment(new Date(sandbox.created * 1000)));
      const drifted = sandbox.drift && !sandbox.drift.mended;
      say(state, drifted ? `${sandbox.state}, not whole` : sandbox.state);
      mark(state, "data-state", sandbox.state === "leased" && !drifted ? "well" : "other");
    };
    return { node, tell };
  }
}

/// All by which a sandbox is found.
function words(sandbox) {
  const had = sandbox.networks.flatMap((had) => [had.network, had.pool, had.device, had.mac, ...had.addresses]);
  return [sandbox.id, who(sandbox), sandbox.state, ...had].join(" ").toLowerCase();
}

/// What somebody should look at.
export function attention(parent) {
  return new Keyed(parent, () => {
    const node = element("li", { class: "remark" });
    return { node, tell: (text) => say(node, text) };
  });
}

/// What `doctor` finds, with what mends it.
export function findings(parent) {
  return new Keyed(parent, () => {
    const [severity, title] = [element("span", { class: "severity" }), element("strong")];
    const [subject, breaks, cure] = [element("p", { class: "subject" }), element("p"), element("div")];
    const node = element("li", { class: "finding" }, element("p", {}, severity, " ", title), subject, breaks, cure);
    const tell = ({ finding, title: words }) => {
      mark(node, "data-severity", finding.severity);
      say(severity, `${finding.severity} ${finding.code}`);
      say(title, words);
      say(subject, finding.subject);
      say(breaks, finding.breaks);
      const { run, do: act } = finding.mend ?? {};
      cure.replaceChildren(...(run ? [element("pre", { tabindex: "0" }, run.join("\n"))] : act ? [element("p", { class: "cure" }, act)] : []));
    };
    return { node, tell };
  });
}

/// What was done last.
export function events(parent) {
  return new Keyed(parent, () => {
    const [at, what, whose, why] = [element("time"), element("strong"), element("span"), element("p")];
    const node = element("li", {}, element("div", { class: "event" }, at, what, whose), why);
    const tell = (entry) => {
      const date = new Date(entry.at);
      mark(at, "datetime", entry.at);
      say(at, moment(date));
      say(what, entry.what);
      const subject = entry.id ? who(entry) : entry.device ?? "";
      const had = (entry.networks ?? []).map((had) => `${had.network}${had.device ? ` ${had.device}` : ""}`).join(", ");
      say(whose, [subject, had, entry.us === undefined ? "" : time(entry.us)].filter(Boolean).join(" · "));
      say(why, entry.why ?? "");
      mark(node, "data-what", ["refused", "failed", "stuck", "unmended", "missed"].includes(entry.what) ? "bad" : "well");
    };
    return { node, tell };
  });
}

function time(us) {
  return us < 1000 ? `${us} µs` : us < 1_000_000 ? `${(us / 1000).toFixed(us < 10_000 ? 1 : 0)} ms` : `${(us / 1_000_000).toFixed(1)} s`;
}
