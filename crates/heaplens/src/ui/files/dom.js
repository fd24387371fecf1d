// Elements, made of attributes and text. Text is set as text: nothing here, or
// elsewhere in these files, makes markup of a string.

const SVG = 'http://www.w3.org/2000/svg';
const OF_SVG = new Set(['svg', 'g', 'path', 'line', 'rect', 'circle', 'text', 'use', 'title', 'polyline']);

/** An element; attributes named `on…` are listeners, those that are null, undefined or false are left out. */
export function make(tag, attributes, ...children) {
  const element = OF_SVG.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const byId = (id) => document.getElementById(id);

/** A button with a text. */
export function button(text, onclick, attributes) {
  return make('button', { type: 'button', onclick, ...attributes }, text);
}

/** A choice among [value, text] pairs. */
export function choice(label, options, chosen, onchange) {
  const select = make('select', { 'aria-label': label });
  for (const [value, text] of options) {
    select.append(make('option', { value, selected: value === chosen }, text));
  }
  select.addEventListener('change', () => onchange(select.value));
  return select;
}

/** What is invisible, or turns the text around it, as an escape. */
export function visible(text) {
  return String(text).replace(
    /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]/g,
    (at) => `\\u{${at.codePointAt(0).toString(16)}}`,
  );
}

// Scripts put these on elements; documents from the server lack them.
const KEPT = new Set(['open', 'data-js', 'aria-sort']);

/**
 * Makes `old` like `fresh`, with as few changes as possible: what is selected, has the focus or is
 * opened stays so. Elements marked `data-js` belong to scripts and are left alone.
 */
export function morph(old, fresh) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  if (old.hasAttribute('data-js')) return;
  for (const { name, value } of fresh.attributes) {
    if (!KEPT.has(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !KEPT.has(name)) old.removeAttribute(name);
  }
  morphChildren(old, fresh);
}

function morphChildren(old, fresh) {
  const keyed = new Map();
  for (const child of old.children) {
    if (child.dataset?.key !== undefined) keyed.set(child.dataset.key, child);
  }
  let at = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    let found = keyed.get(wanted.dataset?.key);
    if (!found && at && isAlike(at, wanted)) found = at;
    if (!found) {
      old.insertBefore(document.importNode(wanted, true), at);
      continue;
    }
    if (found === at) at = at.nextSibling;
    else move(old, found, at);
    morph(found, wanted);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

/** Browsers take the focus from what is moved. */
function move(parent, child, before) {
  const focused = child.contains(document.activeElement) ? document.activeElement : null;
  parent.insertBefore(child, before);
  focused?.focus({ preventScroll: true });
}

function isAlike(one, other) {
  return one.nodeName === other.nodeName && one.dataset?.key === undefined && other.dataset?.key === undefined && one.id === other.id;
}
