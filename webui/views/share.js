/* What was made for a device, handed over: by a code that a phone reads, as a file, as fields to type, as text. */

import { at, get, post } from '../api.js';
import { qrCode } from '../chart.js';
import { fill, h } from '../dom.js';
import { t, told } from '../i18n.js';
import { button, card, copyable, notice, save, toggle } from '../parts.js';

/* How each platform gets its profile: by link, as a file, as a card; the first one is what most will want. */
export const WAYS = {
	ios: [['link', 'mobileconfig'], ['file', 'mobileconfig'], ['card', 'card']],
	macos: [['file', 'mobileconfig'], ['link', 'mobileconfig'], ['card', 'card']],
	windows: [['file', 'powershell'], ['card', 'card']],
	android: [['card', 'card'], ['link', 'sswan'], ['file', 'sswan']],
	linux: [['file', 'networkmanager'], ['file', 'swanctl'], ['card', 'card']],
	other: [['card', 'card'], ['file', 'p12'], ['file', 'swanctl']]
};

/* Told this once: what the device proves itself by, or what opens the file that its certificate comes in. */
export function secretCard(made) {
	const { login, platform } = made.device;
	const profileHoldsIt = login === 'certificate' && platform in { ios: 1, macos: 1, windows: 1, linux: 1 };
	const secret = made.password || made.psk;
	return secret && !profileHoldsIt && card(t('secret.title'), h('p', {}, t('secret.once')), copyable(t(`secret.${login}`), secret));
}

export function ways(device, options) {
	return WAYS[device.platform]
		.filter(([way, form]) => fits(form, device.login) && (way !== 'card' || device.login !== 'certificate' || device.platform !== 'ios'))
		.map(([way, form], index) => h('section', { class: 'card' },
			h('h2', {}, t(`way.${way}.${form}`)),
			h('ol', { class: 'steps' }, steps(way, form, device)),
			{ link: linkPart, file: filePart, card: cardPart }[way](device, form, options, index === 0)));
}

function fits(form, login) {
	return form !== 'p12' || login === 'certificate';
}

function steps(way, form, device) {
	const known = [told(`steps.${way}.${form}.${device.platform}`, ''), told(`steps.${way}.${form}.${device.login}`, ''), t(`steps.${way}.${form}`)];
	return known.find(Boolean).split('\n').map(line => h('li', {}, line));
}

function linkPart(device, form, options, first) {
	const place = h('div', {});
	const where = notice();
	const make = async unencrypted => {
		where.clear();
		const link = await post(at('devices', device.name, 'link'), { form, ...options(form), ...(unencrypted ? { unencrypted } : {}) });
		fill(place, h('div', { class: 'share' },
			qrCode(link.qr, t('link.code')),
			h('div', {}, h('p', {}, t('link.once', { minutes: Math.round(link.seconds / 60) })), copyable(t('link.address'), link.url),
				button(t('link.again'), () => make(unencrypted), { where }))));
	};
	const start = () => make(false).catch(error => {
		if (error.code !== 'unencrypted')
			return where.fail(error);
		const accept = toggle(t('link.unencrypted'), false, on => on && make(true).catch(where.fail), { hint: t('link.plain') });
		fill(place, accept.node);
	});
	if (first)
		start();
	else
		fill(place, button(t('link.make'), start, { where }));
	return [place, where.node];
}

function filePart(device, form, options) {
	const where = notice();
	const download = async () => {
		save(await post(at('devices', device.name, 'export'), { form, ...options(form) }));
		where.say(t('file.saved'));
	};
	return [h('div', { class: 'actions' }, button(t('file.download'), download, { kind: 'main', where })), where.node];
}

function cardPart(device, form, options) {
	return [needsCa(device) && caPart(device), fieldsPart(device, options(form).secret)];
}

/* Who knows the gateway by its certificate has to have our CA's first; scripts and profiles bring it along. */
function needsCa(device) {
	return device.login !== 'psk';
}

/* A phone reads a code; a PC has this panel before it, or a file of it. */
function caPart(device) {
	const place = h('div', {});
	const where = notice();
	const show = async () => {
		const link = await post('/certificates/ca/link');
		fill(place, h('div', { class: 'share' }, qrCode(link.qr, t('link.code')), h('div', {}, copyable(t('link.address'), link.url))));
	};
	fill(place, device.platform === 'windows'
		? button(t('certificate.ca'), async () => save(await get('/certificates/ca?form=der')), { where })
		: button(t('card.ca'), show, { where }));
	return h('div', { class: 'field' }, place, where.node);
}

function fieldsPart(device, secret) {
	const place = h('div', {});
	const where = notice();
	post(at('devices', device.name, 'card'), secret ? { secret } : {}).then(
		fields => fill(place, fields.map(each => copyable(each.label, each.value))), where.fail);
	return [place, where.node];
}
