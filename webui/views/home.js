/* Answers first, then sites and devices, then what went wrong. */

import { get } from '../api.js';
import { fill, h } from '../dom.js';
import { t } from '../i18n.js';
import { card, errorText, notice } from '../parts.js';
import { attemptItem, attemptList, attemptsPath, failed, whenAttempted } from './attempts.js';
import { healthStrip, lookAtHealth } from './health.js';
import { deviceRow, rows, siteRow } from './rows.js';

const LAST = 5;

export async function load() {
	const [status, attempts] = await Promise.all([get('/status'), get(attemptsPath())]);
	return { status, attempts };
}

export function render({ status, attempts }, page) {
	const where = notice();
	const health = h('div', {}, h('p', { class: 'hint' }, t('health.looking')));
	lookAtHealth().then(checks => fill(health, healthStrip(checks)), error => fill(health, h('p', {}, errorText(error))));
	const sites = rows(siteRow, status.sites, where);
	const devices = rows(deviceRow, status.devices, where);
	const failures = h('div', {}, attemptList(attempts, LAST));
	follow(page, sites, devices, failures, attempts.filter(failed).slice(0, LAST));
	return h('div', {},
		h('h1', { class: 'hidden' }, t('nav.home')),
		status.kernel === 'memory' && h('div', { class: 'notice warning' }, h('p', {}, t('home.memory'))),
		where.node,
		card(t('health.title'), health),
		head(t('sites'), '#/add-site', t('site.add')),
		status.sites.length ? sites.node : h('div', { class: 'card empty' }, t('site.none')),
		head(t('devices'), '#/add-device', t('device.add')),
		status.devices.length ? devices.node : empty(),
		h('div', { class: 'head' }, h('h2', {}, t('attempt.title'))), h('div', { class: 'card' }, failures));
}

function head(title, href, label) {
	return h('div', { class: 'head' }, h('h2', {}, title), h('a', { class: 'button main', href }, label));
}

function empty() {
	return h('div', { class: 'card empty' }, h('p', {}, t('device.none')), h('a', { class: 'button', href: '#/add-device' }, t('device.first')));
}

function follow(page, sites, devices, failures, last) {
	page.on('site', sites.set);
	page.on('device', devices.set);
	page.on('traffic', () => { sites.tick(); devices.tick(); });
	whenAttempted(page, attempt => {
		if (!failed(attempt))
			return;
		last.unshift(attempt);
		fill(failures, h('ul', { class: 'list' }, last.slice(0, LAST).map(attemptItem)));
	});
	page.on('config', page.again);
	let before = false;
	page.on('daemon', ({ reachable }) => {
		if (reachable && before)
			page.again();
		before = !reachable;
	});
}
