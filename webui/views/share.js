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
	android: [['file', 'p12'], ['card', 'card'], ['link', 'sswan'], ['file', 'sswan']],
	linux: [['file', 'networkmanager'], ['file', 'swanctl'], ['card', 'card']],
	other: [['file', 'p12'], ['card', 'card'], ['file', 'swanctl']]
};

/* Machines that have this panel before them when they are set up. */
const PCS = ['windows', 'macos', 'linux'];
const WITHOUT_PSK = ['powershell', 'sswan'];

/* Whether a device shows a certificate, in IKE itself or within EAP. */
export function certified({ login }) {
	return login === 'certificate' || login === 'eap-tls';
}

/* Told this once: what the device proves itself by, or what opens the file that its certificate comes in. */
export function secretCard(made) {
	const { login, platform } = made.device;
	const profileHoldsIt = certified(made.device) && platform in { ios: 1, macos: 1, linux: 1 };
	const secret = made.password || made.psk;
	return secret && !profileHoldsIt && card(t('secret.title'), h('p', {}, t('secret.once')), copyable(t(`secret.${login}`), secret));
}

export function ways(device, options) {
	const fitting = WAYS[device.platform].filter(([, form]) => fits(form, device));
	return fitting.length === 0 ? card(t('way.none'), h('p', {}, t('way.none.cure'))) : fitting
		.map(([way, form], index) => h('section', { class: 'card' },
			h('h2', {}, t(`way.${way}.${form}`)),
			h('ol', { class: 'steps' }, steps(way, form, device)),
			{ link: linkPart, file: filePart, card: cardPart }[way](device, form, options, index === 0)));
}

/* A card names no file but those that are handed over beside it, and Windows takes no pre-shared key. */
function fits(form, device) {
	const { platform, login } = device;
	if (form === 'p12')
		return certified(device);
	if (form === 'card' && certified(device))
		return !(login === 'eap-tls' && platform === 'android') && WAYS[platform].some(([, other]) => other === 'p12');
	return login !== 'psk' || !WITHOUT_PSK.includes(form) && (form !== 'card' || platform !== 'windows');
}

function steps(way, form, { platform, login }) {
	const base = `steps.${way}.${form}`;
	const known = [told(`${base}.${platform}.${login}`, ''), told(`${base}.${platform}`, ''), told(`${base}.${login}`, ''), t(base)];
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

/* A phone reads a code; a PC takes a file. */
function caPart(device) {
	const place = h('div', {});
	const where = notice();
	const show = async () => {
		const link = await post('/certificates/ca/link');
		fill(place, h('div', { class: 'share' }, qrCode(link.qr, t('link.code')), h('div', {}, copyable(t('link.address'), link.url))));
	};
	fill(place, PCS.includes(device.platform)
		? button(t('certificate.ca'), async () => save(await get(`/certificates/ca?form=${device.platform === 'linux' ? 'pem' : 'der'}`)), { where })
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
