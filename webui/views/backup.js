/* Everything in one file, and back; what was in force before; the file itself. */

import { post, put } from '../api.js';
import { applied, SECONDS } from '../confirm.js';
import { fill, h, unique } from '../dom.js';
import { moment } from '../format.js';
import { t } from '../i18n.js';
import { button, card, field, form, notice, save, secretField, sure } from '../parts.js';

export function backup(config, page, versions, { text }) {
	return [card(t('backup.create'), createForm()), card(t('backup.restore'), restoreForm(page)), card(t('backup.versions'), versionList(versions, page)), card(t('backup.file'), fileForm(text, page))];
}

function createForm() {
	const password = secretField(t('backup.password'), { hint: t('backup.password.hint'), autocomplete: 'new-password' });
	const where = notice();
	return form(t('backup.make'), async () => {
		save(await post('/backup', { password: password.value }));
		where.say(t('file.saved'));
	}, [h('p', {}, t('backup.intro')), password.node], { where });
}

function restoreForm(page) {
	const id = unique('file');
	const file = h('input', { type: 'file', id });
	const password = secretField(t('backup.password'));
	const restore = async () => {
		const octets = new Uint8Array(await (file.files[0] ?? new Blob()).arrayBuffer());
		let text = '';
		for (const octet of octets)
			text += String.fromCharCode(octet);
		applied(await post('/backup/restore', { content: btoa(text), password: password.value, confirm: SECONDS }));
		await page.again();
	};
	return form(t('backup.restore.button'), restore, [h('p', {}, t('backup.restore.intro')), h('div', { class: 'field' }, h('label', { for: id }, t('backup.choose')), file), password.node]);
}

function versionList(versions, page) {
	const where = notice();
	if (!versions.length)
		return h('p', { class: 'hint' }, t('backup.noversions'));
	return [h('ul', { class: 'list' }, versions.map(each => h('li', { class: 'row' }, h('span', {}, t('backup.version', { number: each.number, saved: moment(each.saved) })),
		sure(t('backup.back'), t('backup.back.sure'), async () => { await post('/config/rollback', { number: each.number }); await page.again(); }, where, '')))), where.node];
}

function fileForm(text, page) {
	const file = field(t('backup.text'), { lines: 18, value: text, class: 'file' });
	const where = notice(true);
	const plan = h('div', { 'aria-live': 'polite' });
	const look = async () => fill(plan, planned(await post('/config/plan', { text: file.input.value })));
	const keep = async () => {
		applied(await put('/config/text', { text: file.input.value, confirm: SECONDS }));
		await page.again();
	};
	return form(t('backup.apply'), keep, [h('p', {}, t('backup.file.intro')), file.node, plan], { where, beside: [button(t('backup.look'), look, { where })] });
}

function planned(plan) {
	return h('div', { class: 'notice warning' },
		plan.changes.length ? h('ul', {}, plan.changes.map(each => h('li', {}, `${each.path}: ${each.before || '–'} → ${each.after || '–'} (${t(`effect.${each.effect}`)})`))) : h('p', {}, t('nothing.changed')),
		plan.drops.length > 0 && h('p', {}, t('plan.drops', { names: plan.drops.join(', ') })),
		plan.warnings.map(each => h('p', {}, each)));
}
