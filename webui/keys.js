/* Forms over keys of the configuration file: a field for each key, and one change of all that differs. */

import { patch } from './api.js';
import { applied, SECONDS } from './confirm.js';
import { listed } from './format.js';
import { t } from './i18n.js';
import { field, fold, form, notice, select, toggle } from './parts.js';

/* Only what was changed is sent, and it stands when it is confirmed. */
export function keysForm(parts, page, extra = []) {
	const where = notice();
	const now = () => Object.fromEntries(parts.map(part => [part.path, part.read()]));
	const before = now();
	const keep = async () => {
		const changed = Object.entries(now()).filter(([path, value]) => JSON.stringify(value) !== JSON.stringify(before[path]));
		if (!changed.length)
			return where.say(t('nothing.changed'));
		const result = applied(await patch('/config', { values: Object.fromEntries(changed), confirm: SECONDS }));
		await page.again();
		return result;
	};
	const expert = parts.filter(part => part.expert);
	return form(t('save'), keep, [parts.filter(part => !part.expert).map(part => part.node), expert.length > 0 && fold(t('crypto.expert'), expert.map(part => part.node)), extra], { where });
}

export function listKey(path, label, value, options = {}) {
	const made = field(label, { ...options, value: (Array.isArray(value) ? value : [value ?? '']).join(', ') });
	return { path, node: made.node, expert: options.expert, read: () => listed(made.value) };
}

export function textKey(path, label, value, options = {}) {
	const made = field(label, { ...options, value: value ?? '' });
	return { path, node: made.node, read: () => made.value || null };
}

export function numberKey(path, label, value, options = {}) {
	const made = field(label, { ...options, type: 'number', value: value ?? '' });
	return { path, node: made.node, read: () => made.value ? Number(made.value) : null };
}

export function choiceKey(path, label, value, choices, options = {}) {
	const made = select(label, choices, value, options);
	return { path, node: made.node, expert: options.expert, read: () => made.value };
}

export function flagKey(path, label, value, options = {}) {
	const made = toggle(label, Boolean(value), () => {}, options);
	return { path, node: made.node, expert: options.expert, read: () => made.value };
}
