/* What was logged, who did what here, who tried to connect. */

import { get } from '../api.js';
import { fill, h } from '../dom.js';
import { moment } from '../format.js';
import { t, told } from '../i18n.js';
import { card, field, select } from '../parts.js';
import { attemptItem, attemptsPath, whenAttempted } from './attempts.js';

const PAGES = ['log', 'attempts', 'audit'];
const LEVELS = ['debug', 'info', 'warning', 'error'];
const MOST = 500;

export async function load(page) {
	const chosen = PAGES.includes(page.name) ? page.name : 'log';
	return { chosen, content: await get({ log: `/log?limit=${MOST}`, attempts: attemptsPath(), audit: '/audit' }[chosen]) };
}

export function render({ chosen, content }, page) {
	return h('div', {}, h('h1', {}, t('nav.logs')),
		h('div', { class: 'tabs', role: 'navigation', 'aria-label': t('nav.logs') },
			PAGES.map(each => h('a', { href: `#/logs/${each}`, 'aria-current': each === chosen ? 'page' : null }, t(`logs.${each}`)))),
		{ log: lines, attempts, audit }[chosen](content, page));
}

function lines(content, page) {
	const list = h('ol', { class: 'log' });
	const level = select(t('logs.level'), LEVELS.map(each => [each, t(`level.${each}`)]), 'info');
	const words = field(t('logs.search'), { type: 'search' });
	const fits = line => LEVELS.indexOf(line.level) >= LEVELS.indexOf(level.value) && line.text.toLowerCase().includes(words.value.toLowerCase());
	const empty = h('p', { class: 'hint' }, t('logs.empty'));
	const draw = () => {
		const shown = content.filter(fits);
		empty.hidden = shown.length > 0;
		fill(list, shown.map(item).reverse());
	};
	level.input.addEventListener('change', draw);
	words.input.addEventListener('input', draw);
	page.on('log', line => {
		content.push(line);
		content.splice(0, content.length - MOST);
		if (fits(line)) {
			empty.hidden = true;
			list.prepend(item(line));
		}
	});
	draw();
	return [h('div', { class: 'columns' }, level.node, words.node), h('div', { class: 'card' }, list, empty)];
}

function item(line) {
	return h('li', { class: line.level }, h('time', {}, moment(line.at)), h('span', {}, line.text));
}

function attempts(content, page) {
	const list = h('ul', { class: 'list' }, content.map(attemptItem));
	whenAttempted(page, attempt => list.prepend(attemptItem(attempt)));
	return h('div', { class: 'card' }, content.length ? list : [h('p', { class: 'hint' }, t('attempt.none')), list]);
}

function audit(content) {
	return card(t('logs.audit'), h('p', { class: 'hint' }, t('audit.hint')), h('ol', { class: 'log' }, [...content].reverse().map(each =>
		h('li', {}, h('time', {}, moment(each.at)), h('span', {}, `${told(`audit.${each.event}`, each.event)} ${each.detail} (${each.address})`)))));
}
