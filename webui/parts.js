/* Parts that views are made of. */

import { ApiError } from './api.js';
import { fill, h, unique } from './dom.js';
import { t, told } from './i18n.js';

/* What went wrong, for people. Lines of the file say nothing to who does not see it. */
export function errorText(error, lines = false) {
	if (!(error instanceof ApiError))
		throw error;
	const problems = error.problems.map(each => each.replace(/^.*?\.toml:(\d+): /, (_, line) => lines ? `${t('error.line', { line })}: ` : ''));
	return [...new Set([told(`error.${error.code}`, error.message), ...problems])].join('\n');
}

/* A place for what went wrong, or well; told to screen readers as it changes. */
export function notice(lines = false) {
	const node = h('div', { class: 'notice', role: 'status', 'aria-live': 'polite' });
	return {
		node,
		clear: () => { node.className = 'notice'; fill(node); },
		say: (text, kind = 'good') => { node.className = `notice ${kind}`; fill(node, ...text.split('\n').map(line => h('p', {}, line))); },
		fail: error => { node.className = 'notice bad'; fill(node, ...errorText(error, lines).split('\n').map(line => h('p', {}, line))); }
	};
}

/* A button that works once at a time, and tells `where` if that fails. */
export function button(label, work, { kind = '', where = null, ...attributes } = {}) {
	const node = h('button', { type: 'button', class: kind, ...attributes, onclick: () => busy(node, work, where) }, label);
	return node;
}

async function busy(node, work, where) {
	if (node.getAttribute('aria-busy') === 'true')
		return;
	node.setAttribute('aria-busy', 'true');
	where?.clear();
	try {
		await work();
	}
	catch (error) {
		if (!where)
			throw error;
		where.fail(error);
	}
	finally {
		node.removeAttribute('aria-busy');
	}
}

/* A button for what cannot be undone: it asks in place, with no window in the way. `kind` is danger, or nothing. */
export function sure(label, question, work, where, kind = 'danger') {
	const place = h('span', { class: 'sure' });
	const ask = button(label, () => {
		const no = button(t('no'), reset);
		fill(place, h('span', {}, question), button(t('yes'), async () => { await work(); reset(); }, { kind: kind || 'main', where }), no);
		no.focus();
	}, { kind });
	const reset = () => { fill(place, ask); ask.focus(); };
	fill(place, ask);
	return place;
}

/* A form that sends itself with Enter or its button, once what it needs is there. */
export function form(label, work, fields, { where = notice(), beside = [] } = {}) {
	const submit = h('button', { type: 'submit', class: 'main' }, label);
	return h('form', {
		novalidate: true,
		onsubmit: event => {
			event.preventDefault();
			const empty = [...event.target.elements].find(each => each.required && !each.value.trim());
			if (!empty)
				return busy(submit, work, where);
			where.say(t('error.empty', { what: empty.labels[0].textContent }), 'bad');
			empty.focus();
		}
	}, fields, where.node, h('div', { class: 'actions' }, submit, beside));
}

/* A labelled field. `node` is shown, `value` is what was typed. */
export function field(label, { hint = '', type = 'text', value = '', lines = 0, ...attributes } = {}) {
	const id = unique('field');
	const described = hint ? { 'aria-describedby': `${id}-hint` } : {};
	const input = lines
		? h('textarea', { id, rows: lines, spellcheck: 'false', value, ...described, ...attributes })
		: h('input', { id, type, value, autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false', ...described, ...attributes });
	return {
		input,
		node: h('div', { class: 'field' }, h('label', { for: id }, label), input, hint && h('p', { class: 'hint', id: `${id}-hint` }, hint)),
		get value() { return input.value.trim(); },
		set value(text) { input.value = text; }
	};
}

/* A field for a secret, which can be looked at. */
export function secretField(label, options = {}) {
	const made = field(label, { ...options, type: 'password' });
	const eye = h('button', { type: 'button', class: 'quiet', 'aria-pressed': 'false', onclick: () => {
		const hidden = made.input.type === 'password';
		made.input.type = hidden ? 'text' : 'password';
		eye.setAttribute('aria-pressed', String(hidden));
	} }, t('show'));
	const row = h('div', { class: 'row' });
	made.input.replaceWith(row);
	row.append(made.input, eye);
	return { node: made.node, input: made.input, get value() { return made.input.value; }, set value(text) { made.input.value = text; } };
}

/* One of several, from a list. */
export function select(label, choices, value, { hint = '' } = {}) {
	const id = unique('select');
	const input = h('select', { id, ...(hint ? { 'aria-describedby': `${id}-hint` } : {}) },
		choices.map(([key, text]) => h('option', { value: key, selected: key === value }, text)));
	return {
		input,
		node: h('div', { class: 'field' }, h('label', { for: id }, label), input, hint && h('p', { class: 'hint', id: `${id}-hint` }, hint)),
		get value() { return input.value; }
	};
}

/* One of several, as tiles that show all of them at once. */
export function tiles(label, choices, value, onchange = () => {}) {
	const name = unique('tiles');
	let chosen = value;
	const node = h('fieldset', { class: 'tiles' }, h('legend', {}, label), h('div', { class: 'grid' },
		choices.map(([key, text, hint]) => h('label', { class: 'tile' },
			h('input', { type: 'radio', name, value: key, checked: key === value, onchange: () => { chosen = key; onchange(key); } }),
			h('span', {}, text), hint && h('small', {}, hint)))));
	return { node, get value() { return chosen; } };
}

/* On or off. */
export function toggle(label, checked, onchange = () => {}, { hint = '', hidden = false } = {}) {
	const id = unique('toggle');
	const input = h('input', { type: 'checkbox', role: 'switch', id, checked, onchange: () => onchange(input.checked) });
	return {
		input,
		node: h('div', { class: 'toggle' }, input, h('label', { for: id, class: hidden ? 'hidden' : '' }, label), hint && h('p', { class: 'hint' }, hint)),
		get value() { return input.checked; }
	};
}

/* A state in a colour and a word. */
export function state(kind, text) {
	return h('span', { class: `state ${kind}` }, h('span', { class: 'dot', 'aria-hidden': 'true' }), text);
}

/* A text with a button that copies it. */
export function copyable(label, text) {
	const id = unique('copy');
	const value = h('output', { id, class: 'mono' }, text);
	const copy = h('button', { type: 'button', class: 'quiet', 'aria-label': t('copy.what', { what: label }), onclick: async () => {
		await copied(text, value);
		copy.textContent = t('copied');
		setTimeout(() => { copy.textContent = t('copy'); }, 2000);
	} }, t('copy'));
	return h('div', { class: 'copyable' }, h('span', { class: 'label', id: `${id}-label` }, label), h('div', { class: 'row' }, value, copy));
}

/* Without HTTPS browsers have no clipboard for us: then the text is marked, to be copied by hand. */
async function copied(text, node) {
	try {
		await navigator.clipboard.writeText(text);
	}
	catch {
		const range = document.createRange();
		range.selectNodeContents(node);
		getSelection().removeAllRanges();
		getSelection().addRange(range);
		document.execCommand('copy');
	}
}

/* Saves what was made as a file. */
export function save(artifact) {
	const octets = artifact.base64 ? Uint8Array.from(atob(artifact.content), each => each.charCodeAt(0)) : artifact.content;
	const url = URL.createObjectURL(new Blob([octets], { type: artifact.media_type }));
	const link = h('a', { href: url, download: artifact.name });
	document.body.append(link);
	link.click();
	link.remove();
	setTimeout(() => URL.revokeObjectURL(url), 10000);
}

/* A card with a heading. */
export function card(title, ...content) {
	const id = unique('card');
	return h('section', { class: 'card', 'aria-labelledby': id }, h('h2', { id }, title), content);
}

/* What few need, behind a fold. */
export function fold(title, ...content) {
	return h('details', {}, h('summary', {}, title), content);
}

/* Names and values, one under the other; what is `wide` has a line for itself. */
export function facts(pairs) {
	return h('dl', { class: 'facts' }, pairs.filter(([, value]) => value !== '' && value !== null && value !== undefined)
		.map(([name, value, wide]) => h('div', { class: wide ? 'wide' : null }, h('dt', {}, name), h('dd', {}, value))));
}
