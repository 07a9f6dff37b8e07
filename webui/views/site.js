/* One site: its tunnels, what it is set to, and what the other end needs. */

import { at, get, patch, post, remove } from '../api.js';
import { sparkline } from '../chart.js';
import { applied, SECONDS } from '../confirm.js';
import { fill, h } from '../dom.js';
import { listed, minute, octets } from '../format.js';
import { t } from '../i18n.js';
import { ratesOf } from '../live.js';
import { button, card, facts, field, fold, form, notice, secretField, select, sure } from '../parts.js';
import { snippetCard, testCard } from './add_site.js';
import { attemptList, attemptsPath, failed } from './attempts.js';
import { rates, siteState, weakNote } from './rows.js';

export async function load(page) {
	const [status, config, attempts] = await Promise.all([get('/status'), get('/config?defaults=true'), get(attemptsPath(page.name))]);
	const site = status.sites.find(each => each.name === page.name);
	return { site, keys: config.site?.[page.name] ?? {}, attempts };
}

export function render({ site, keys, attempts }, page) {
	if (!site)
		return h('div', { class: 'middle' }, h('h1', {}, page.name), h('p', {}, t('site.gone')), h('a', { href: '#/' }, t('nav.home')));
	const where = notice();
	const now = h('div', { 'aria-live': 'polite' });
	const graph = h('div', {});
	const show = each => fill(now, live(each, where));
	const draw = () => {
		const points = ratesOf('sites', site.name);
		const last = points.at(-1) ?? { received: 0, sent: 0 };
		fill(graph, sparkline(points), rates('sites', last));
	};
	show(site);
	draw();
	page.on('site', each => each.name === site.name && show(each));
	page.on('traffic', draw);
	return h('div', { class: 'middle' },
		h('a', { class: 'back', href: '#/' }, `← ${t('sites')}`),
		h('h1', {}, site.name), where.node, now,
		card(t('traffic.title'), graph),
		attempts.some(failed) && card(t('attempt.title'), attemptList(attempts)),
		testCard(site.name, page),
		card(t('site.settings'), settings(site, keys, page)),
		snippetCard(site.name, ''),
		card(t('site.end'), sure(t('site.remove'), t('site.remove.sure'), async () => {
			applied(await remove(`${at('sites', site.name)}?confirm=${SECONDS}`));
			page.go('#/');
		}, where)));
}

function live(site, where) {
	const act = (word, body) => () => post(at('sites', site.name, word), body);
	return h('section', { class: 'card' }, h('p', { class: 'what' }, siteState(site), h('span', {}, site.remote)), site.why && site.state !== 'up' && h('p', {}, site.why),
		site.ike.map(tunnels),
		h('div', { class: 'actions' },
			site.state !== 'up' && button(t('site.connect'), act('up'), { where }),
			site.state !== 'down' && button(t('site.close'), act('down'), { where }),
			site.state === 'up' && button(t('site.rekey'), act('rekey', { what: 'child' }), { where, kind: 'quiet' })));
}

function tunnels(ike) {
	return [weakNote(ike.weak), facts([
		[t('session.from'), ike.remote], [t('session.since'), minute(ike.established)], [t('session.suite'), ike.suite], [t('site.nat'), ike.nat === 'none' ? '' : t(`nat.${ike.nat}`)]]),
	h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': t('site.children') }, h('table', {},
		h('thead', {}, h('tr', {}, ['child', 'here', 'there', 'in', 'out', 'cipher', 'by'].map(each => h('th', { scope: 'col' }, t(`child.${each}`))))),
		h('tbody', {}, ike.children.map(child => h('tr', {}, [child.name, child.local_ts.join(', '), child.remote_ts.join(', '), octets(child.bytes_in), octets(child.bytes_out), child.suite, child.carrier_in === child.carrier_out ? child.carrier_in : `↓ ${child.carrier_in} ↑ ${child.carrier_out}`]
			.map(each => h('td', {}, each)))))))];
}

function settings(site, keys, page) {
	const text = value => Array.isArray(value) ? value.join(', ') : value ?? '';
	const remote = field(t('site.remote'), { value: text(keys.remote), hint: t('site.remote.hint') });
	const ours = field(t('site.local_networks'), { value: text(keys.local_networks) });
	const theirs = field(t('site.remote_networks'), { value: text(keys.remote_networks) });
	const localId = field(t('site.local_id'), { value: text(keys.local_id) });
	const remoteId = field(t('site.remote_id'), { value: text(keys.remote_id) });
	const psk = secretField(t('psk'), { hint: t('psk.keep') });
	const start = select(t('site.start'), ['load', 'traffic', 'wait'].map(each => [each, t(`start.${each}`)]), keys.start);
	const offload = select(t('crypto.offload'), ['auto', 'off', 'crypto', 'packet'].map(each => [each, t(`offload.${each}`)]), keys.offload);
	const ike = field(t('crypto.ike'), { value: text(keys.ike_proposals), lines: 3 });
	const esp = field(t('crypto.esp'), { value: text(keys.esp_proposals), lines: 3 });
	const several = 'child' in keys;
	const now = () => ({
		remote: listed(remote.value).length ? listed(remote.value) : 'any', local_networks: listed(ours.value), remote_networks: listed(theirs.value),
		local_id: localId.value || null, remote_id: remoteId.value || null, start: start.value, offload: offload.value,
		ike_proposals: listed(ike.value), esp_proposals: listed(esp.value)
	});
	const before = now();
	const keep = async () => {
		const changed = Object.entries(now()).filter(([key, value]) => JSON.stringify(value) !== JSON.stringify(before[key]));
		if (psk.value)
			changed.push(['psk', psk.value]);
		if (changed.length)
			applied(await patch(at('sites', site.name), { settings: Object.fromEntries(changed), confirm: SECONDS }));
		await page.again();
	};
	return form(t('save'), keep, [remote.node, !several && [ours.node, theirs.node], start.node, keys.auth === 'psk' && psk.node,
		fold(t('crypto.expert'), localId.node, remoteId.node, offload.node, ike.node, !several && esp.node)]);
}
