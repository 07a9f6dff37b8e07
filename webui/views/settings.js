/* Four groups: name and ports, network, security, backup. What experts want is behind a fold in the group it is of. */

import { get } from '../api.js';
import { h } from '../dom.js';
import { t } from '../i18n.js';
import { choiceKey, flagKey, keysForm, listKey, numberKey, textKey } from '../keys.js';
import { backup } from './backup.js';
import { security } from './security.js';

const GROUPS = ['name', 'network', 'security', 'backup'];

export async function load(page) {
	const chosen = GROUPS.includes(page.name) ? page.name : 'name';
	const wanted = { name: [], network: [], security: ['/certificates'], backup: ['/config/versions', '/config/text'] }[chosen];
	const [config, ...more] = await Promise.all([get('/config?defaults=true'), ...wanted.map(get)]);
	return { chosen, config, more };
}

export function render({ chosen, config, more }, page) {
	return h('div', { class: 'middle' }, h('h1', {}, t('nav.settings')),
		h('div', { class: 'tabs', role: 'navigation', 'aria-label': t('nav.settings') },
			GROUPS.map(each => h('a', { href: `#/settings/${each}`, 'aria-current': each === chosen ? 'page' : null }, t(`settings.${each}`)))),
		{ name, network, security, backup }[chosen](config, page, ...more));
}

function name(config, page) {
	const { pki, web } = config;
	return h('div', { class: 'card' }, keysForm([
		listKey('pki.public_name', t('setup.name'), pki.public_name, { hint: t('settings.names.hint') }),
		textKey('web.title', t('settings.title'), web.title, { hint: t('settings.restart') }),
		numberKey('web.port', t('settings.port'), web.port, { hint: t('settings.restart') }),
		listKey('web.listen', t('settings.listen'), web.listen, { hint: t('settings.listen.hint') }),
		listKey('web.hosts', t('settings.hosts'), web.hosts, { hint: t('settings.hosts.hint') })
	], page));
}

function network(config, page) {
	return [...Object.entries(config.pool ?? {}).map(([pool, keys]) => poolCard(pool, keys, page)), firewallCard(config.firewall, page)];
}

function poolCard(pool, keys, page) {
	const at = key => `pool.${pool}.${key}`;
	return h('section', { class: 'card' }, h('h2', {}, t('settings.pool', { pool })), keysForm([
		listKey(at('v4'), t('pool.v4'), keys.v4, { hint: t('setup.pool.hint') }),
		listKey(at('v6'), t('pool.v6'), keys.v6),
		choiceKey(at('mode'), t('device.mode'), keys.mode, [['full', t('mode.full')], ['split', t('mode.split')]]),
		listKey(at('networks'), t('device.networks'), keys.networks, { hint: t('device.networks.hint') }),
		listKey(at('dns'), t('device.dns'), keys.dns, { hint: t('setup.dns.hint') }),
		listKey(at('domains'), t('pool.domains'), keys.domains, { hint: t('pool.domains.hint') }),
		choiceKey(at('unique'), t('device.unique'), keys.unique, ['keep', 'replace', 'refuse'].map(each => [each, t(`unique.${each}`)])),
		flagKey(at('mobike'), t('pool.mobike'), keys.mobike, { expert: true }),
		listKey(at('ike_proposals'), t('crypto.ike'), keys.ike_proposals, { lines: 4, expert: true }),
		listKey(at('esp_proposals'), t('crypto.esp'), keys.esp_proposals, { lines: 3, expert: true }),
		flagKey(at('legacy'), t('crypto.legacy'), keys.legacy, { hint: t('crypto.legacy.hint'), expert: true })
	], page));
}

function firewallCard(firewall, page) {
	return h('section', { class: 'card' }, h('h2', {}, t('settings.firewall')), keysForm([
		flagKey('firewall.masquerade', t('firewall.masquerade'), firewall.masquerade),
		flagKey('firewall.mss_clamp', t('firewall.mss'), firewall.mss_clamp),
		flagKey('firewall.reject_v6', t('firewall.v6'), firewall.reject_v6),
		listKey('firewall.lan', t('firewall.lan'), firewall.lan, { hint: t('firewall.lan.hint') }),
		listKey('firewall.wan', t('firewall.wan'), firewall.wan)
	], page));
}
