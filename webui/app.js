/* The frame around the views: who is logged in, which view is shown, what is above all of them. */

import { ApiError, get, post, setToken, whenLoggedOut } from './api.js';
import { fill, h } from './dom.js';
import { chooseLanguage, currentLanguage, languages, loadLanguage, t } from './i18n.js';
import { button, errorText, state } from './parts.js';

/* Each view is fetched when it is wanted: the first page is there at once. */
const VIEWS = {
	'': () => import('./views/home.js'),
	'add-device': () => import('./views/add_device.js'),
	'add-site': () => import('./views/add_site.js'),
	device: () => import('./views/device.js'),
	login: () => import('./views/login.js'),
	logs: () => import('./views/logs.js'),
	settings: () => import('./views/settings.js'),
	site: () => import('./views/site.js'),
	welcome: () => import('./views/setup.js')
};
/* What only somebody who is logged in needs: the stream of events, and the bar that asks whether a change stands. */
let live = null;
let confirm = null;
const NAVIGATION = [['', 'nav.home'], ['settings', 'nav.settings'], ['logs', 'nav.logs']];

const main = h('main', { id: 'main', tabindex: '-1' });
const banners = h('div', { class: 'banners', 'aria-live': 'polite' });
let panel = { title: '', setup: '', https: true, totp: false, csrf: '' };
let ticket = '';
let leaving = [];
let shown = 0;
let failed = false;

/* What a view is given: where it is, and how it hears of what happens while it is shown. */
function context(word, names) {
	return {
		panel,
		ticket,
		word,
		name: names[0] ?? '',
		names,
		on: (topic, callback) => leaving.push(live.on(topic, callback)),
		leave: callback => leaving.push(callback),
		go: hash => { location.hash = hash; },
		again: () => route(),
		enter
	};
}

async function route() {
	const turn = ++shown;
	main.setAttribute('aria-busy', 'true');
	const [word, ...names] = location.hash.replace(/^#\/?/, '').split('/').map(decoded);
	const wanted = panel.csrf ? (Object.hasOwn(VIEWS, word) ? word : '') : panel.setup ? 'welcome' : 'login';
	leaving.forEach(leave => leave());
	leaving = [];
	const page = context(word, names);
	let content;
	failed = false;
	try {
		const view = await VIEWS[wanted]();
		const data = await view.load(page);
		if (turn !== shown)
			return;
		content = view.render(data, page);
	}
	catch (error) {
		if (!(error instanceof ApiError))
			throw error;
		failed = true;
		content = h('div', { class: 'notice bad', role: 'alert' }, h('p', {}, errorText(error)), button(t('again'), route));
	}
	if (turn !== shown)
		return;
	fill(main, content);
	main.removeAttribute('aria-busy');
	main.dataset.place = location.hash;
	markPlace(word);
	const heading = main.querySelector('h1');
	document.title = [heading?.textContent, panel.title || 'edgevpn'].filter(Boolean).join(' – ');
	heading?.setAttribute('tabindex', '-1');
	if (!confirm?.confirmBar().contains(document.activeElement))
		heading?.focus({ preventScroll: true });
	scrollTo(0, 0);
}

function decoded(part) {
	try {
		return decodeURIComponent(part);
	}
	catch {
		return part;
	}
}

function markPlace(word) {
	for (const link of document.querySelectorAll('nav a'))
		if (link.getAttribute('href') === `#/${word}`)
			link.setAttribute('aria-current', 'page');
		else
			link.removeAttribute('aria-current');
}

function languageChoice() {
	return h('select', { class: 'language', 'aria-label': 'Language / 言語', onchange: async event => {
		await chooseLanguage(event.target.value);
		frame();
		route();
	} }, languages().map(([code, name]) => h('option', { value: code, selected: code === currentLanguage() }, name)));
}

function frame() {
	const inside = Boolean(panel.csrf);
	fill(document.body,
		h('a', { class: 'skip', href: '#main', onclick: event => { event.preventDefault(); main.focus(); } }, t('skip')),
		h('header', {},
			h('a', { class: 'brand', href: '#/' }, h('img', { src: '/icon.svg', alt: '', width: 28, height: 28 }), h('span', {}, panel.title || 'edgevpn')),
			inside && h('nav', { 'aria-label': t('nav') }, NAVIGATION.map(([word, label]) => h('a', { href: `#/${word}` }, t(label)))),
			h('div', { class: 'corner' }, languageChoice(), inside && button(t('log_out'), logOut, { kind: 'quiet' }))),
		banners, confirm?.confirmBar(), main);
	banner('plain', !panel.https, t('banner.plain'));
}

/* A line above every view, for as long as it is true. */
function banner(word, holds, text) {
	banners.querySelector(`[data-word="${word}"]`)?.remove();
	if (holds)
		banners.append(h('p', { 'data-word': word, class: 'banner' }, state('warning', text)));
}

async function logOut() {
	await post('/logout');
	await outside();
}

/* After a login: the token for what changes things, and the stream of events. */
async function enter(csrf) {
	setToken(csrf);
	panel = { ...panel, csrf, setup: '' };
	await fetchInside();
	live.start();
	frame();
	confirm.resume();
	await route();
}

async function fetchInside() {
	if (live)
		return;
	[live, confirm] = await Promise.all([import('./live.js'), import('./confirm.js')]);
	live.on('logged_out', () => outside());
	live.on('daemon', ({ reachable }) => {
		banner('daemon', !reachable, t('banner.daemon'));
		if (reachable && failed)
			route();
	});
}

async function outside() {
	live?.stop();
	setToken('');
	panel = await get('/panel');
	frame();
	await route();
}

function takeTicket() {
	const found = /^#ticket=(.+)$/.exec(location.hash);
	if (found) {
		ticket = decoded(found[1]);
		history.replaceState(null, '', '/');
	}
}

async function begin() {
	takeTicket();
	await loadLanguage();
	panel = await get('/panel');
	whenLoggedOut(() => { if (panel.csrf) outside(); });
	addEventListener('hashchange', route);
	frame();
	if (ticket && !panel.csrf && !panel.setup) {
		try {
			return await enter((await post('/ticket', { ticket })).csrf);
		}
		catch (error) {
			errorText(error);
		}
	}
	return panel.csrf ? enter(panel.csrf) : route();
}

begin();
