/* The first run: a password, then the few things that nobody can guess. */

import { get, patch, post } from '../api.js';
import { fill, h } from '../dom.js';
import { listed } from '../format.js';
import { t } from '../i18n.js';
import { field, form, secretField } from '../parts.js';
import { healthList, lookAtHealth } from './health.js';

export async function load(page) {
	return page.panel.csrf ? get('/config?defaults=true') : null;
}

export function render(config, page) {
	return h('div', { class: 'narrow' }, config ? essentials(config, page) : firstPassword(page));
}

function firstPassword(page) {
	const password = secretField(t('setup.password'), { hint: t('setup.password.hint'), autocomplete: 'new-password' });
	const token = field(t('setup.token'), { hint: t('setup.token.hint'), value: page.ticket });
	const needsToken = page.panel.setup === 'token' || page.ticket;
	const begin = async () => {
		const given = needsToken ? { password: password.value, token: token.value } : { password: password.value };
		const { csrf } = await post('/setup', given);
		history.replaceState(null, '', '#/welcome');
		await page.enter(csrf);
	};
	return [
		h('h1', {}, t('setup.title')),
		h('p', {}, t('setup.intro')),
		h('div', { class: 'card' }, form(t('setup.begin'), begin, [password.node, needsToken && token.node]))
	];
}

function essentials(config, page) {
	const pool = Object.keys(config.pool ?? {})[0] ?? 'home';
	const known = config.pool?.[pool] ?? {};
	const name = field(t('setup.name'), { hint: t('setup.name.hint'), value: (config.pki?.public_name ?? []).join(', '), placeholder: 'home.example.org', required: true });
	const addresses = field(t('setup.pool'), { hint: t('setup.pool.hint'), value: (known.v4 ?? []).join(', ') || '10.89.0.0/24', required: true });
	const dns = field(t('setup.dns'), { hint: t('setup.dns.hint'), value: config.pool?.[pool] ? (known.dns ?? []).join(', ') : '' });
	const rest = h('div', {});
	const save = async () => {
		const values = { 'pki.public_name': listed(name.value), [`pool.${pool}.v4`]: listed(addresses.value) };
		if (dns.value)
			values[`pool.${pool}.dns`] = listed(dns.value);
		await patch('/config', { values });
		fill(rest, h('p', {}, t('setup.checking')));
		fill(rest, result(await lookAtHealth(), page));
		rest.querySelector('a')?.focus();
	};
	return [
		h('h1', {}, t('setup.essentials')),
		h('p', {}, t('setup.essentials.intro')),
		h('div', { class: 'card' }, form(t('setup.save'), save, [name.node, addresses.node, dns.node])),
		h('div', { 'aria-live': 'polite' }, rest)
	];
}

function result(health) {
	const wrong = health.filter(each => each.level !== 'good');
	return h('section', { class: 'card' },
		h('h2', {}, wrong.length ? t('setup.almost') : t('setup.done')),
		healthList(wrong),
		h('div', { class: 'actions' },
			h('a', { class: 'button main', href: '#/add-device' }, t('device.add')), h('a', { class: 'button', href: '#/' }, t('nav.home'))));
}
