// Draws the way of one sandbox: from each of its interfaces to the wire, and from its service path to the host's rules. A way is a list in
// the order in which a packet goes, so it reads as it is drawn.

import { element, moment, who, count } from "./element.js";

/// Draws what is chosen, anew each time: it is small.
export function way(parent, sandbox, device) {
  if (sandbox) parent.replaceChildren(...ofSandbox(sandbox));
  else if (device) parent.replaceChildren(...ofDevice(device));
  else parent.replaceChildren();
}

function ofSandbox(sandbox) {
  const from = { command: "the command line", hook: "an OCI hook", nri: "NRI", cni: "CNI" }[sandbox.origin] ?? sandbox.origin;
  const facts = [
    ["Sandbox", sandbox.id],
    ["State", sandbox.state],
    ["Since", moment(new Date(sandbox.created * 1000))],
    ["Asked by way of", from],
    ["Shared by", count(sandbox.containers, "container")],
  ];
  const drawn = [element("h3", {}, who(sandbox)), list(facts)];
  for (const failure of sandbox.failures) drawn.push(element("p", { class: "trouble" }, failure));
  if (sandbox.drift) {
    const mended = sandbox.drift.mended ? "given again" : "not given again";
    drawn.push(element("p", { class: "drift" }, `${sandbox.drift.what}: ${mended}`));
  }
  for (const had of sandbox.networks) drawn.push(...network(had));
  if (sandbox.service) drawn.push(...service(sandbox.service));
  return drawn;
}

function network(had) {
  const inside = had.driven
    ? box("in the sandbox", "driven by its program", [had.mac])
    : box("in the sandbox", had.interface, [...had.addresses, had.mac]);
  const through = had.made
    ? box(had.made.kind, `on ${had.made.parent}`, [`pool ${had.pool}`])
    : box("device", had.device ?? "", [`pool ${had.pool}`]);
  return [element("h4", {}, `Network ${had.network}`), lane([inside, through, ...wires(had.wires)])];
}

/// A wire's name is that of its port, with the VLAN on it: `0000:01:00.0-vlan100`, or `svlan` of 802.1ad.
function wires(names) {
  return names.map((name) => {
    const [port, tag] = name.split("-");
    const number = tag?.replace(/^s?vlan/, "");
    return box("wire", `behind ${port}`, [tag ? `VLAN ${number}${tag.startsWith("s") ? " (802.1ad)" : ""}` : "untagged"]);
  });
}

function service(path) {
  const inside = box("in the sandbox", path.interface, path.sources);
  const host = path.host ? [box("on the host", path.host, ["forwarding, for it alone"])] : [];
  const rules = box("the host's rules", `to ${path.cidrs.join(" ")}`, [path.masqueraded ? "masqueraded where it leaves" : "as it is"]);
  return [element("h4", {}, "Service path"), lane([inside, ...host, rules])];
}

function ofDevice({ device, pools }) {
  const facts = [
    ["Device", device.address],
    ["State", device.state],
    ["Interface", device.interface ?? "none"],
    ["Addresses", device.addresses.join(" ") || "none"],
    ["Pool", pools.join(", ")],
  ];
  return [element("h3", {}, device.function), list(facts)];
}

function list(facts) {
  return element("dl", {}, ...facts.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
}

function lane(boxes) {
  return element("ol", { class: "lane" }, ...boxes);
}

function box(place, name, words) {
  const lines = words.filter(Boolean).map((word) => element("span", { class: "word" }, word));
  return element("li", { class: "box" }, element("span", { class: "place" }, place), element("strong", {}, name), ...lines);
}
