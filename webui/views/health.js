/* What was looked at, and how it stands. */

import { get } from '../api.js';
import { h } from '../dom.js';
import { currentLanguage, t } from '../i18n.js';
import { state } from '../parts.js';

/* All checks, in the language of the panel. */
export function lookAtHealth() {
	return get(`/health?language=${currentLanguage()}`);
}

export function healthList(checks) {
	return h('ul', { class: 'health' }, checks.map(each => h('li', {},
		state(each.level, each.message), each.cure && h('p', { class: 'cure' }, each.cure))));
}

const ORDER = ['bad', 'warning', 'good'];

/* The worst first; what is good only when asked for. */
export function healthStrip(checks) {
	const wrong = ORDER.slice(0, 2).flatMap(level => checks.filter(each => each.level === level));
	const good = checks.filter(each => each.level === 'good');
	return [
		wrong.length ? healthList(wrong) : h('p', {}, state('good', t('health.fine', { count: good.length }))),
		good.length > 0 && h('details', {}, h('summary', {}, t('health.good', { count: good.length })), healthList(good))
	];
}
