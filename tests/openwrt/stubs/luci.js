/* As much of LuCI's browser side as the views use. Elements are plain objects; a bare string as a child, which LuCI would
   take for HTML, is a fault. */

const calls = [];
const polled = [];
const notes = [];
const answers = {};

function E(tag, attributes, children) {
	if (Array.isArray(attributes))
		[ attributes, children ] = [ {}, attributes ];

	children = children ?? [];

	if (!Array.isArray(children))
		throw new Error('children of <' + tag + '> are no array: ' + children);

	return { tag: Array.isArray(tag) ? '' : tag, attributes: attributes ?? {}, children: children };
}

const view = { extend: definition => definition };
const dom = { content: (node, children) => { node.children = children; } };
const poll = { add: (handler, seconds) => polled.push(handler) };
const ui = {
	createHandlerFn: (context, handler) => handler,
	addNotification: (title, node, kind) => notes.push([ kind, node ])
};
const rpc = {
	declare: spec => (...values) => {
		const named = {};
		(spec.params ?? []).forEach((name, place) => { named[name] = values[place]; });
		calls.push([ spec.object, spec.method, named ]);
		return Promise.resolve(answers[spec.method] ?? { result: null });
	}
};
const _ = text => text;
const opened = [];
const window = {
	location: { hostname: 'router.lan' },
	open: () => { const page = { opener: 'luci', close() { page.closed = true; } }; opened.push(page); return page; }
};

/* form.Map, as a record of what was asked of it. */
function option(kind, name, title) {
	return { kind: kind, name: name, title: title, values: [], value(key) { this.values.push(key); } };
}
const form = {
	Flag: 'Flag', Value: 'Value', ListValue: 'ListValue', DummyValue: 'DummyValue', DynamicList: 'DynamicList',
	NamedSection: 'NamedSection',
	Map: class {
		constructor(config) { this.config = config; this.sections = []; }
		section(kind, name, type) {
			const section = { name: name, type: type, options: [], option(...spec) {
				this.options.push(option(...spec));
				return this.options[this.options.length - 1];
			} };
			this.sections.push(section);
			return section;
		}
		render() { return this; }
	}
};

function texts(node) {
	if (typeof node == 'string' || typeof node == 'number')
		return String(node);

	return node.children.map(texts).filter(text => text.trim()).join('|');
}

function find(node, tag) {
	const inside = (node.children ?? []).flatMap(child => find(child, tag));

	return node.tag == tag ? [ node, ...inside ] : inside;
}

function press(node, title) {
	return find(node, 'button').filter(button => texts(button) == title && !button.attributes.disabled)[0].attributes.click();
}
