// SPDX-License-Identifier: Apache-2.0
// Elements without markup: text is always a text node, so that nothing of the server can become an element.

const SVG = 'http://www.w3.org/2000/svg';

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === 'on') {
      for (const [type, listener] of Object.entries(value)) element.addEventListener(type, listener);
    } else if (name === 'style' || name.startsWith('on')) {
      throw new Error(`${name}: not as an attribute`); // the page's policy forbids it
    } else {
      element.setAttribute(name, value === true ? '' : String(value));
    }
  }
  append(element, children);
  return element;
}

export function append(element, children) {
  for (const child of [children].flat(Infinity)) {
    if (child === null || child === undefined || child === false || child === '') continue;
    element.append(child instanceof Node ? child : String(child));
  }
}

// h('a', {href: '#/payouts', class: 'quiet', on: {click}}, 'Payouts')
export const h = (tag, props, ...children) => fill(document.createElement(tag), props, children);
export const svg = (tag, props, ...children) => fill(document.createElementNS(SVG, tag), props, children);

export function replace(element, ...children) {
  element.replaceChildren();
  append(element, children);
  return element;
}

let last = 0;
export const uniqueId = (prefix) => `${prefix}-${++last}`;
