/* A tunnel to another gateway: what this end needs, what the other end must be told, and whether it works. */

import { at, get, post } from '../api.js';
import { applied } from '../confirm.js';
import { fill, h } from '../dom.js';
import { listed } from '../format.js';
import { t } from '../i18n.js';
import { button, card, field, fold, form, notice, save, secretField, select, state, tiles } from '../parts.js';
import { attemptItem, failed, whenAttempted } from './attempts.js';

const PEERS = ['edgevpn', 'strongswan', 'routeros', 'card'];
const KEY = 'ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789';

/* The name in our certificate, which the other end has to know us by. */
export async function load() {
	const { pki } = await get('/config?defaults=true');
	return [pki?.public_name ?? []].flat()[0] ?? '';
}

export function render(ourName, page) {
	const place = h('div', { class: 'middle' });
	fill(place, asking(place, ourName, page));
	return place;
}

/* 40 characters of 56: more than 230 bits. */
function newKey() {
	return [...crypto.getRandomValues(new Uint32Array(40))].map(number => KEY[number % KEY.length]).join('');
}

function asking(place, ourName, page) {
	const kind = tiles(t('site.peer'), PEERS.map(each => [each, t(`peer.${each}`)]), 'edgevpn');
	const name = field(t('site.name'), { hint: t('site.name.hint'), maxlength: 32, required: true });
	const remote = field(t('site.remote'), { hint: t('site.remote.hint'), placeholder: 'office.example.org' });
	const ours = field(t('site.local_networks'), { hint: t('site.local_networks.hint'), required: true, placeholder: '192.168.1.0/24' });
	const theirs = field(t('site.remote_networks'), { required: true, placeholder: '192.168.2.0/24' });
	const auth = select(t('site.auth'), ['psk', 'certificate'].map(each => [each, t(`login.${each}`)]), 'psk', { hint: t('site.auth.hint') });
	const psk = secretField(t('psk'), { hint: t('site.psk.hint'), value: newKey() });
	const localId = field(t('site.local_id'), { hint: t('site.local_id.hint') });
	auth.input.addEventListener('change', () => {
		const certified = auth.value === 'certificate';
		psk.node.hidden = certified;
		localId.value = certified ? ourName : '';
	});
	const remoteId = field(t('site.remote_id'), { hint: t('site.remote_id.hint') });
	const add = async () => {
		const settings = { remote: listed(remote.value), local_networks: listed(ours.value), remote_networks: listed(theirs.value) };
		if (auth.value === 'psk')
			settings.psk = psk.value;
		else
			settings.auth = auth.value;
		if (localId.value)
			settings.local_id = localId.value;
		if (remoteId.value)
			settings.remote_id = remoteId.value;
		if (!settings.remote.length)
			settings.remote = 'any';
		applied(await post('/sites', { name: name.value, settings }));
		fill(place, made(name.value, kind.value, page));
		place.querySelector('h1').focus();
	};
	return [h('h1', {}, t('site.add')), h('div', { class: 'card' }, form(t('site.add.button'), add, [
		kind.node, name.node, remote.node, ours.node, theirs.node, fold(t('more'), auth.node, psk.node, localId.node, remoteId.node)]))];
}

function made(name, kind, page) {
	return [
		h('h1', { tabindex: '-1' }, t('site.ready', { name })),
		snippetCard(name, kind),
		testCard(name, page),
		h('div', { class: 'actions' }, h('a', { class: 'button', href: `#${at('site', name)}` }, t('site.open')), h('a', { class: 'button', href: '#/' }, t('nav.home')))
	];
}

/* What the other end must be told: made when asked for, as the key is in it. */
export function snippetCard(name, kind) {
	const place = h('div', {});
	const where = notice();
	const show = async form => {
		for (const each of choices)
			each.setAttribute('aria-pressed', String(each.value === form));
		const snippet = await post(at('sites', name, 'snippet'), { form });
		fill(place, snippet.base64 ? h('p', { class: 'after' }, t('snippet.archive', { name: snippet.name })) : h('pre', { tabindex: '0', 'aria-label': snippet.name }, snippet.content),
			h('div', { class: 'actions' }, button(t('file.download'), () => save(snippet))));
	};
	const choices = PEERS.map(each => button(t(`peer.${each}`), () => show(each), { where, value: each, 'aria-pressed': 'false' }));
	if (kind)
		show(kind).catch(where.fail);
	return card(t('snippet.title'), h('p', {}, t('snippet.intro')),
		h('div', { class: 'actions' }, choices), where.node, place);
}

/* Tries the tunnel, and says how far it came. */
export function testCard(name, page) {
	const steps = h('ul', { class: 'health' });
	const host = field(t('test.host'), { hint: t('test.host.hint') });
	let reached = null;
	const show = site => fill(steps, progress(site, reached));
	const why = h('ul', { class: 'list' });
	const where = notice();
	whenAttempted(page, attempt => {
		if (attempt.peer !== name || !failed(attempt))
			return;
		where.clear();
		fill(why, attemptItem(attempt));
	});
	page.on('site', site => {
		if (site.name !== name)
			return;
		show(site);
		if (site.state === 'up')
			fill(why);
	});
	const test = async () => {
		reached = null;
		fill(why);
		fill(steps, h('li', {}, state('wait', t('test.trying'))));
		try {
			show(await ask());
		}
		catch (error) {
			if (!why.hasChildNodes()) {
				fill(steps);
				throw error;
			}
		}
	};
	const ask = async () => {
		const site = await post(at('sites', name, 'up'));
		if (host.value) {
			fill(steps, progress(site, null), h('li', {}, state('wait', t('test.asking', { address: host.value }))));
			reached = await post(at('sites', name, 'reach'), { address: host.value });
		}
		return site;
	};
	return h('section', { class: 'card', role: 'status', 'aria-live': 'polite' }, h('h2', {}, t('test.title')), h('p', {}, t('test.intro')), host.node, steps, why, where.node,
		h('div', { class: 'actions' }, button(t('test.button'), test, { kind: 'main', where })));
}

function progress(site, reached) {
	const children = site.ike.flatMap(each => each.children);
	const step = (good, text) => h('li', {}, state(good ? 'good' : site.state === 'connecting' ? 'wait' : 'off', text));
	return [
		step(site.ike.length > 0, site.ike.length ? t('test.ike', { remote: site.ike[0].remote }) : t('test.noike')),
		step(children.length > 0, children.length ? t('test.child', { networks: children.flatMap(each => each.remote_ts).join(', ') }) : t('test.nochild')),
		reached ? step(reached.answered, t(reached.answered ? 'test.answers' : 'test.silent', { address: reached.address }))
			: children.length > 0 && step(children.some(each => each.bytes_in > 0), children.some(each => each.bytes_in > 0) ? t('test.traffic') : t('test.notraffic'))
	].filter(Boolean);
}
