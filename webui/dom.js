/* Builds the page. Text goes in as text, whoever wrote it: nothing here reads markup. */

const SVG = 'http://www.w3.org/2000/svg';
const PROPERTIES = new Set(['value', 'checked', 'disabled', 'textContent']);

function made(node, props, children) {
	for (const [name, value] of Object.entries(props)) {
		if (value === null || value === undefined || value === false)
			continue;
		if (name.startsWith('on'))
			node.addEventListener(name.slice(2), value);
		else if (PROPERTIES.has(name))
			node[name] = value;
		else
			node.setAttribute(name, value === true ? '' : String(value));
	}
	node.append(...shown(children));
	return node;
}

function shown(children) {
	return children.flat(Infinity).filter(child => child !== null && child !== undefined && child !== false);
}

/* An element: its tag, its attributes, properties and handlers (onclick), its children. */
export function h(tag, props = {}, ...children) {
	return made(document.createElement(tag), props, children);
}

/* The same for a picture. */
export function svg(tag, props = {}, ...children) {
	return made(document.createElementNS(SVG, tag), props, children);
}

/* Puts other children into an element. */
export function fill(node, ...children) {
	node.replaceChildren(...shown(children));
	return node;
}

let last = 0;

/* A name that no other element has. */
export function unique(word) {
	last += 1;
	return `${word}-${last}`;
}
