/* How somebody tried to connect, and what kept them from it. Names and identities are whatever they sent. */

import { h } from '../dom.js';
import { ago, moment } from '../format.js';
import { t, told } from '../i18n.js';

export function attemptItem(attempt) {
	const who = attempt.peer || attempt.identity || t('attempt.unknown');
	return h('li', { class: 'attempt' },
		h('p', {}, told(`cause.${attempt.cause}`, attempt.sentence, { who })),
		attempt.cure && h('p', {}, h('strong', {}, t('attempt.cure')), ' ', told(`cure.${attempt.cause}`, attempt.cure)),
		h('p', { class: 'what' }, h('time', { title: moment(attempt.at) }, ago(attempt.at)), ' · ', who, ' · ', attempt.remote,
			attempt.client ? ` · ${attempt.client}` : ''));
}

export function attemptList(attempts) {
	return attempts.length ? h('ul', { class: 'list' }, attempts.map(attemptItem)) : h('p', { class: 'hint' }, t('attempt.none'));
}
