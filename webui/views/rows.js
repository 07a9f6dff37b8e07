/* A device or a site as one line of a list, which follows what happens to it. */

import { at, patch, post } from '../api.js';
import { sparkline } from '../chart.js';
import { fill, h } from '../dom.js';
import { ago, octets, rate, since } from '../format.js';
import { t, told } from '../i18n.js';
import { ratesOf } from '../live.js';
import { button, state, toggle } from '../parts.js';

function flow(kind, name) {
	const node = h('div', { class: 'flow' });
	const update = () => {
		const points = ratesOf(kind, name);
		const last = points.at(-1) ?? { received: 0, sent: 0 };
		fill(node, sparkline(points), rates(kind, last));
	};
	update();
	return { node, update };
}

/* What comes in and goes out, in the colours of the graph; of a device as it sees that itself. */
export function rates(kind, { received, sent }) {
	const parts = [h('span', { class: 'received' }, rate(received)), h('span', { class: 'sent' }, rate(sent))];
	const [down, up] = kind === 'devices' ? parts.reverse() : parts;
	down.prepend('↓ ');
	up.prepend('↑ ');
	return h('div', { class: 'key rates' }, down, up);
}

export function deviceState(device) {
	if (device.sessions.length)
		return state('good', t('device.in', { since: since(Math.min(...device.sessions.map(each => each.since))) }));
	if (!device.enabled)
		return state('off', t('device.disabled'));
	if (device.refused)
		return state('warning', told(`refused.${device.refused}`, device.refused));
	return state('off', device.seen ? t('device.seen', { ago: ago(device.seen) }) : t('device.never'));
}

function deviceHead(device) {
	return [deviceState(device), ' ', h('span', {}, t(`platform.${device.platform}`)), ' ', weakState(device.sessions.flatMap(each => each.weak))];
}

function deviceDetail(device) {
	const from = device.sessions.map(each => `${each.addresses.join(', ')} ← ${each.remote}`).join('; ');
	const moved = device.month.received + device.month.sent;
	return [from, device.owner, moved && t('device.month', { amount: octets(moved) })].filter(Boolean).join(' · ');
}

export function deviceRow(first, where) {
	const { name } = first;
	const place = h('div', { class: 'what' });
	const detail = h('div', { class: 'what' });
	const moving = flow('devices', name);
	const enabled = toggle(t('device.enable', { name }), first.enabled, async on => {
		try {
			update(await patch(at('devices', name), { settings: { enabled: on } }));
		}
		catch (error) {
			enabled.input.checked = !on;
			where.fail(error);
		}
	}, { hidden: true });
	const node = h('li', { class: 'item' },
		h('div', {}, h('div', { class: 'name' }, h('a', { href: `#${at('device', name)}` }, name)), place, detail),
		moving.node, h('div', { class: 'end' }, enabled.node));
	let known = first;
	const update = device => {
		known = device;
		node.classList.toggle('idle', !device.sessions.length);
		fill(place, deviceHead(device));
		detail.textContent = deviceDetail(device);
		enabled.input.checked = device.enabled;
	};
	update(first);
	return { node, update, tick: () => { moving.update(); fill(place, deviceHead(known)); } };
}

/* What is weak in the ciphers of somebody who is in; nothing if all is strong. */
export function weakState(points) {
	return points.length > 0 && state('warning', t('weak', { names: namesOf(points) }));
}

/* The same with what that means, where there is room for it. */
export function weakNote(points) {
	return points.length > 0 && h('p', { class: 'notice warning' }, t('weak.hint', { names: namesOf(points) }));
}

function namesOf(points) {
	return [...new Set(points.map(each => each.split(':')[0]))].join(', ');
}

const KINDS = { up: 'good', connecting: 'wait', down: 'off' };

export function siteState(site) {
	return state(site.why && site.state !== 'up' ? 'bad' : KINDS[site.state], t(`site.${site.state}`));
}

export function siteRow(first, where) {
	const { name } = first;
	const place = h('div', { class: 'what' });
	const detail = h('div', { class: 'what' });
	const end = h('div', { class: 'end' });
	const moving = flow('sites', name);
	const node = h('li', { class: 'item' },
		h('div', {}, h('div', { class: 'name' }, h('a', { href: `#${at('site', name)}` }, name)), place, detail), moving.node, end);
	let shown = '';
	const update = site => {
		node.classList.toggle('idle', site.state !== 'up');
		const children = site.ike.flatMap(each => each.children);
		fill(place, siteState(site), h('span', {}, site.remote), weakState(site.ike.flatMap(each => each.weak)));
		detail.textContent = site.state === 'up' ? [...new Set(children.flatMap(each => each.remote_ts))].join(', ') : site.why;
		if (shown === site.state)
			return;
		shown = site.state;
		fill(end, site.state === 'down'
			? button(t('site.connect'), () => post(at('sites', name, 'up')), { where, 'aria-label': t('site.connect.what', { name }) })
			: button(t('site.close'), () => post(at('sites', name, 'down')), { where, 'aria-label': t('site.close.what', { name }) }));
	};
	update(first);
	return { node, update, tick: moving.update };
}

/* A list that keeps a row for each name: what is read or pressed in it stays where it is. */
export function rows(make, first, where) {
	const node = h('ul', { class: 'list' });
	const known = new Map();
	const set = item => {
		if (known.has(item.name))
			return known.get(item.name).update(item);
		const row = make(item, where);
		known.set(item.name, row);
		node.append(row.node);
	};
	first.forEach(set);
	return { node, set, tick: () => known.forEach(row => row.tick()) };
}
