/* How somebody tried to connect, and what kept them from it. Names and identities are whatever they sent. */

import { get } from '../api.js';
import { h } from '../dom.js';
import { ago, moment } from '../format.js';
import { currentLanguage, t } from '../i18n.js';

/* Where attempts are asked for, in the language of the panel; of everybody, or of one. */
export function attemptsPath(peer = '') {
	return `/attempts?language=${currentLanguage()}${peer && `&peer=${encodeURIComponent(peer)}`}`;
}

/* Whether it came to nothing; else it tells of a connection that was up. */
export function failed(attempt) {
	return attempt.stage !== 'up';
}

/* Calls back for each attempt while a view is shown. Events speak English; who reads another language asks again. */
export function whenAttempted(page, callback) {
	page.on('attempt', async attempt => {
		const all = currentLanguage() === 'en' ? [] : await get(attemptsPath());
		callback(all.find(each => each.at === attempt.at && each.remote === attempt.remote) ?? attempt);
	});
}

export function attemptItem(attempt) {
	const who = attempt.peer || attempt.identity || t('attempt.unknown');
	return h('li', { class: 'attempt' },
		h('p', {}, attempt.sentence || t('attempt.up', { who })),
		attempt.cure && h('p', {}, h('strong', {}, t('attempt.cure')), ' ', attempt.cure),
		h('p', { class: 'what' }, h('time', { title: moment(attempt.at) }, ago(attempt.at)), ' · ', who, ' · ', attempt.remote,
			attempt.client ? ` · ${attempt.client}` : ''));
}

/* The last few that came to nothing. */
export function attemptList(all, most = 3) {
	const attempts = all.filter(failed).slice(0, most);
	return attempts.length ? h('ul', { class: 'list' }, attempts.map(attemptItem)) : h('p', { class: 'hint' }, t('attempt.none'));
}
