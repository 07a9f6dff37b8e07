/* A name and a platform; then what that platform needs; then waiting until it is in, or why it is not. */

import { get, post } from '../api.js';
import { fill, h } from '../dom.js';
import { t } from '../i18n.js';
import { field, fold, form, select, state, tiles } from '../parts.js';
import { attemptItem, failed, whenAttempted } from './attempts.js';
import { secretCard, ways } from './share.js';

const PLATFORMS = ['ios', 'android', 'windows', 'macos', 'linux', 'other'];
const LOGINS = ['password', 'certificate', 'psk', 'eap-tls'];
const USUAL = { ios: 'certificate', macos: 'certificate', windows: 'password', android: 'password', linux: 'certificate', other: 'password' };

export async function load() {
	return get('/pools');
}

export function render(pools, page) {
	const place = h('div', { class: 'middle' });
	fill(place, pools.length ? asking(pools, place, page) : noPool());
	return place;
}

function noPool() {
	return [h('h1', {}, t('device.add')), h('div', { class: 'card' }, h('p', {}, t('device.nopool')), h('a', { class: 'button main', href: '#/welcome' }, t('device.nopool.go')))];
}

/* EAP-TLS is for pools whose owner has said so. */
function loginsOf(pools) {
	return LOGINS.filter(each => each !== 'eap-tls' || pools.some(pool => pool.logins.includes(each)));
}

function asking(pools, place, page) {
	const name = field(t('device.name'), { hint: t('device.name.hint'), maxlength: 64, required: true });
	const owner = field(t('device.owner'), { maxlength: 64 });
	const login = select(t('device.login'), loginsOf(pools).map(each => [each, t(`login.${each}`)]), USUAL.ios, { hint: t('device.login.hint') });
	const platform = tiles(t('device.platform'), PLATFORMS.map(each => [each, t(`platform.${each}`)]), 'ios', each => { login.input.value = USUAL[each]; });
	const mode = select(t('device.mode'), [['', t('mode.pool')], ['full', t('mode.full')], ['split', t('mode.split')]], '');
	const pool = select(t('device.pool'), pools.map(each => [each.name, each.name]), pools[0].name);
	const add = async () => {
		const settings = { platform: platform.value, login: login.value, pool: pool.value };
		if (owner.value)
			settings.owner = owner.value;
		if (mode.value)
			settings.mode = mode.value;
		result(await post('/devices', { name: name.value, settings }), place, page);
	};
	return [
		h('h1', {}, t('device.add')),
		h('div', { class: 'card' }, form(t('device.add.button'), add, [
			name.node, platform.node, fold(t('more'), login.node, owner.node, mode.node, pools.length > 1 && pool.node)]))
	];
}

function result(made, place, page) {
	const { device } = made;
	const secret = made.password || made.psk;
	const options = () => secret ? { secret } : {};
	fill(place,
		h('h1', { tabindex: '-1' }, t('device.ready', { name: device.name })),
		waiting(device, page),
		secretCard(made),
		ways(device, options),
		h('div', { class: 'actions' }, h('a', { class: 'button', href: `#/device/${encodeURIComponent(device.name)}` }, t('device.open')), h('a', { class: 'button', href: '#/' }, t('nav.home'))));
	place.querySelector('h1').focus();
}

/* Turns green when the device is in, and says why not whenever it was refused. */
function waiting(device, page) {
	const line = h('p', {}, state('wait', t('wait.waiting', { name: device.name })));
	const why = h('ul', { class: 'list' });
	let inside = false;
	page.on('device', now => {
		if (now.name !== device.name || !now.sessions.length)
			return;
		inside = true;
		fill(line, state('good', t('wait.in', { name: device.name })));
		fill(why);
	});
	page.on('link', ({ device: name }) => {
		if (name === device.name && line.textContent === t('wait.waiting', { name }))
			fill(line, state('wait', t('wait.fetched', { name })));
	});
	whenAttempted(page, attempt => {
		const ours = attempt.peer === device.name || attempt.identity === device.id || (!attempt.peer && !inside);
		if (!failed(attempt) || !ours)
			return;
		fill(line, state('bad', t('wait.refused', { name: device.name })));
		fill(why, attemptItem(attempt));
	});
	return h('section', { class: 'card waiting', role: 'status', 'aria-live': 'polite' }, line, why);
}
