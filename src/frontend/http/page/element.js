// Makes elements and keeps lists of them. Words become text here and nowhere else, whoever wrote them: nothing here reads markup.

/// An element with these attributes and these children, of which strings become text.
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== undefined && child !== null));
  return made;
}

/// Sets what differs.
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/// Sets an attribute that differs; null takes it away.
export function mark(node, name, value) {
  if (value === null || value === undefined) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

/// A list whose children are known by keys. Given pairs of key and part in their order it makes what is new, takes away what is gone and
/// lets those be told whose part is another. Whoever stays is not moved, so that the focus stays too.
export class Keyed {
  constructor(parent, make) {
    this.parent = parent;
    this.make = make;
    this.known = new Map();
  }

  show(pairs) {
    const keys = new Set(pairs.map(([key]) => key));
    for (const [key, { node }] of this.known) {
      if (keys.has(key)) continue;
      this.pass(node);
      node.remove();
      this.known.delete(key);
    }
    let next = this.parent.firstElementChild;
    for (const [key, part] of pairs) {
      let child = this.known.get(key);
      if (!child) {
        child = { ...this.make(key), part: undefined };
        this.known.set(key, child);
      }
      if (child.part !== part) {
        child.part = part;
        child.tell(part);
      }
      if (child.node === next) next = next.nextElementSibling;
      else this.parent.insertBefore(child.node, next);
    }
  }

  /// Hands the focus on before its element goes.
  pass(node) {
    if (!node.contains(document.activeElement)) return;
    const neighbour = node.nextElementSibling ?? node.previousElementSibling;
    const target = neighbour?.matches("button") ? neighbour : neighbour?.querySelector("button");
    target?.focus();
  }
}

/// A moment as people write it here; a day is told where it is another.
export function moment(date) {
  const time = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
  if (date.toDateString() === new Date().toDateString()) return time;
  return `${date.toLocaleDateString([], { day: "numeric", month: "short" })}, ${time}`;
}

/// Whose a sandbox is.
export function who(sandbox) {
  if (!sandbox.pod) return sandbox.id.slice(0, 12);
  return `${sandbox.namespace ?? "?"}/${sandbox.pod}`;
}

/// So many of something.
export function count(number, one, many = `${one}s`) {
  return `${number} ${number === 1 ? one : many}`;
}
