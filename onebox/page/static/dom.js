// Elements, made without a word of HTML: whatever a state says is text, and stays text.

// Of what can't be drawn, so much is told: more would not fit on a lock screen.
const WORDS_MAX = 300;

/** Make an element. Properties are set, `data` and `aria` go where their names say, listeners are functions under `on…`. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name === "data") Object.assign(made.dataset, value);
    else if (name === "aria") for (const [key, said] of Object.entries(value)) made.setAttribute(`aria-${key}`, said);
    else if (name === "role") made.setAttribute("role", value);
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made[name] = value;
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** Set an element's text, if it says something else. */
export function say(of, text) {
  if (of.textContent !== text) of.textContent = text;
}

/**
 * Let a list's children be those of its items: each is made once and changed in place, so that whoever is on one of its
 * buttons stays there.
 *
 * @param items of any kind, each under a key of its own, in order
 * @param make returns `{node, show}` for an item
 */
export function arrange(parent, kept, items, make) {
  const wanted = new Map(items);
  for (const [key, one] of kept) {
    if (wanted.has(key)) continue;
    one.node.remove();
    kept.delete(key);
  }
  let place = parent.firstElementChild;
  for (const [key, item] of wanted) {
    const before = kept.get(key);
    const one = drawn(before, item, make, parent.matches("ol, ul") ? "li" : "p");
    if (before !== undefined && before !== one) {
      if (before.node === place) place = place.nextElementSibling;
      before.node.remove();
    }
    kept.set(key, one);
    if (one.node === place) place = place.nextElementSibling;
    else parent.insertBefore(one.node, place);
  }
}

/** Draw one item; one that can't be drawn is told in words, so that it hides no other. */
function drawn(before, item, make, tag) {
  try {
    const one = before === undefined || before.words ? make(item) : before;
    one.show(item);
    return one;
  } catch (error) {
    const words = `This can’t be drawn (${error.message}): ${JSON.stringify(item).slice(0, WORDS_MAX)}`;
    if (before?.words === words) return before;
    console.error(error);
    return { node: element(tag, { className: "odd" }, words), words };
  }
}
