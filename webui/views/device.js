/* One device: what it does, what it may, and what it is given. */

import { at, get, patch, post, remove } from '../api.js';
import { bars } from '../chart.js';
import { fill, h } from '../dom.js';
import { ago, listed, minute, octets } from '../format.js';
import { t } from '../i18n.js';
import { button, card, facts, field, fold, form, notice, select, sure, toggle } from '../parts.js';
import { attemptList, attemptsPath, failed } from './attempts.js';
import { certificateList } from './certificates.js';
import { deviceState, weakNote } from './rows.js';
import { certified, secretCard, ways } from './share.js';

export async function load(page) {
	const [detail, attempts] = await Promise.all([get(at('devices', page.name)), get(attemptsPath(page.name))]);
	return { detail, attempts };
}

export function render({ detail, attempts }, page) {
	const { device } = detail;
	const where = notice();
	const now = h('div', {});
	const show = each => fill(now, live(each));
	show(device);
	page.on('device', each => each.name === device.name && show(each));
	return h('div', { class: 'middle' },
		h('a', { class: 'back', href: '#/' }, `← ${t('devices')}`),
		h('h1', {}, device.name),
		where.node,
		h('div', { 'aria-live': 'polite' }, now),
		attempts.some(failed) && card(t('attempt.title'), attemptList(attempts)),
		usage(detail),
		card(t('device.settings'), settings(detail, page)),
		h('section', { class: 'profile' }, profile(device)),
		certificates(detail.certificates),
		card(t('device.end'), h('div', { class: 'actions' },
			certified(device) && sure(t('device.revoke'), t('device.revoke.sure'), async () => {
				await post(at('devices', device.name, 'revoke'));
				where.say(t('device.revoked'));
			}, where),
			sure(t('device.remove'), t('device.remove.sure'), async () => {
				await remove(at('devices', device.name));
				page.go('#/');
			}, where))));
}

function live(device) {
	return h('section', { class: 'card' }, h('p', {}, deviceState(device)), facts([
		[t('device.kind'), t(`platform.${device.platform}`)],
		[t('device.owner'), device.owner],
		[t('device.proof'), t(`login.${device.login}`)],
		[t('device.id'), device.id],
		[t('device.pool'), device.pool],
		[t('device.mode'), t(`mode.${device.mode}`)],
		[t('device.v4'), device.v4],
		[t('device.v6'), device.v6],
		[t('device.expires'), lastDay(device)],
		[t('device.today'), octets(device.today.received + device.today.sent)],
		[t('device.thismonth'), octets(device.month.received + device.month.sent)],
		[t('device.last'), device.seen ? `${ago(device.seen)} (${device.place})` : '']
	]), device.sessions.map(each => [facts([
		[t('session.from'), each.remote + (each.nat ? ` (NAT)` : '')],
		[t('session.since'), minute(each.since)],
		[t('session.addresses'), each.addresses.join(', ')],
		[t('session.client'), each.client],
		[t('session.suite'), each.suite],
		[t('session.amount'), `↓ ${octets(each.bytes_out)} ↑ ${octets(each.bytes_in)}`]
	]), weakNote(each.weak)]));
}

function usage(detail) {
	if (!detail.days.length)
		return null;
	const days = detail.days.slice(-30);
	const most = days.reduce((one, other) => one.received + one.sent < other.received + other.sent ? other : one);
	return card(t('usage.title'), bars(days),
		h('p', { class: 'ends', 'aria-hidden': 'true' }, h('span', {}, days[0].period), days.length > 1 && h('span', {}, days.at(-1).period)),
		h('p', { class: 'key' }, h('span', { class: 'sent' }, t('usage.down')), h('span', { class: 'received' }, t('usage.up'))),
		h('p', { class: 'hint' }, t('usage.most', { period: most.period, amount: octets(most.received + most.sent) })),
		facts(detail.months.slice(-6).reverse().map(each => [each.period, `↓ ${octets(each.sent)} ↑ ${octets(each.received)}`])));
}

/* The day at whose end (UTC) its time is over. */
function lastDay(device) {
	return device.expires ? new Date((device.expires - 1) * 1000).toISOString().slice(0, 10) : '';
}

function settings(detail, page) {
	const { device } = detail;
	const owner = field(t('device.owner'), { value: device.owner });
	const enabled = toggle(t('device.enabled'), device.enabled);
	const expires = field(t('device.expires'), { type: 'date', hint: t('device.expires.hint'), value: lastDay(device) });
	const mode = select(t('device.mode'), [['full', t('mode.full')], ['split', t('mode.split')]], device.mode);
	const networks = field(t('device.networks'), { hint: t('device.networks.hint'), value: detail.networks.join(', ') });
	const dns = field(t('device.dns'), { hint: t('device.dns.hint'), value: detail.dns.join(', ') });
	const v4 = field(t('device.v4'), { hint: t('device.v4.hint'), value: device.v4 });
	const v6 = field(t('device.v6'), { value: device.v6 });
	const unique = select(t('device.unique'), ['keep', 'replace', 'refuse'].map(each => [each, t(`unique.${each}`)]), detail.unique);
	const before = shown();
	function shown() {
		return {
			owner: owner.value || null, enabled: enabled.value, expires: expires.value || null, mode: mode.value, networks: listed(networks.value),
			dns: listed(dns.value), v4: v4.value || null, v6: v6.value || null, unique: unique.value
		};
	}
	const where = notice();
	const keep = async () => {
		const changed = Object.entries(shown()).filter(([key, value]) => JSON.stringify(value) !== JSON.stringify(before[key]));
		if (changed.length)
			await patch(at('devices', device.name), { settings: Object.fromEntries(changed) });
		await page.again();
	};
	return form(t('save'), keep, [enabled.node, owner.node, expires.node,
		fold(t('more'), mode.node, networks.node, dns.node, v4.node, v6.node, unique.node)], { where });
}

function profile(device) {
	const place = h('div', {});
	const where = notice();
	const apple = device.platform === 'ios' || device.platform === 'macos';
	const demand = select(t('demand.title'), ['off', 'always', 'domains'].map(each => [each, t(`demand.${each}`)]), 'off');
	const networks = field(t('demand.networks'), { hint: t('demand.networks.hint') });
	const domains = field(t('demand.names'), { hint: t('demand.names.hint') });
	const choose = () => {
		networks.node.hidden = demand.value !== 'always';
		domains.node.hidden = demand.value !== 'domains';
	};
	demand.input.addEventListener('change', choose);
	choose();
	const options = secret => form => ({
		...(secret ? { secret } : {}),
		...(form === 'mobileconfig' && demand.value !== 'off' ? { on_demand: demand.value, networks: lines(networks), domains: listed(domains.value) } : {})
	});
	const again = async () => {
		const made = await post(at('devices', device.name, 'reset'));
		fill(place, secretCard(made), ways(device, options(made.password || made.psk)));
	};
	return [card(t('profile.title'), h('p', {}, t(`profile.${device.login}`)),
		apple && [demand.node, networks.node, domains.node],
		h('div', { class: 'actions' }, certified(device)
			? button(t('profile.make'), again, { where })
			: sure(t('profile.reset'), t('profile.reset.sure'), again, where, '')), where.node), place];
}

function lines(input) {
	return input.value.split(',').map(each => each.trim()).filter(Boolean);
}

function certificates(list) {
	return list.length > 0 && card(t('certificates'), certificateList(list));
}
