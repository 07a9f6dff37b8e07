/* The panel's password and code, certificates, ciphers. */

import { get, post, put } from '../api.js';
import { qrCode } from '../chart.js';
import { fill, h } from '../dom.js';
import { t } from '../i18n.js';
import { choiceKey, flagKey, keysForm, listKey } from '../keys.js';
import { button, card, copyable, field, form, notice, save, secretField, sure } from '../parts.js';
import { certificateList } from './certificates.js';

export function security(config, page, certificates) {
	return [card(t('security.password'), passwordForm()), card(t('security.totp'), page.panel.totp ? withoutTotp(page) : withTotp(page)),
		card(t('certificates'), certificatePart(certificates)), card(t('security.crypto'), cryptoForm(config, page))];
}

function passwordForm() {
	const current = secretField(t('security.current'), { autocomplete: 'current-password' });
	const next = secretField(t('security.new'), { hint: t('setup.password.hint'), autocomplete: 'new-password' });
	return form(t('security.change'), () => put('/password', { current: current.value, password: next.value }).then(() => get('/status')), [h('p', {}, t('security.all')), current.node, next.node]);
}

function withTotp(page) {
	const place = h('div', {});
	const where = notice();
	const begin = async () => {
		const made = await post('/totp');
		const code = field(t('login.code'), { inputmode: 'numeric', maxlength: 6 });
		const password = secretField(t('password'), { autocomplete: 'current-password' });
		const finish = async () => {
			await put('/totp', { secret: made.secret, code: code.value, password: password.value });
			page.panel.totp = true;
			await page.again();
		};
		fill(place, h('div', { class: 'share' }, qrCode(made.qr, t('totp.code')), h('div', {}, copyable(t('totp.key'), made.secret), form(t('totp.on'), finish, [code.node, password.node]))));
	};
	fill(place, button(t('totp.begin'), begin, { where }));
	return [h('p', {}, t('totp.intro')), place, where.node];
}

function withoutTotp(page) {
	const password = secretField(t('password'), { autocomplete: 'current-password' });
	const off = async () => {
		await post('/totp/remove', { password: password.value });
		page.panel.totp = false;
		await page.again();
	};
	return form(t('totp.off'), off, [h('p', {}, t('totp.is')), password.node]);
}

function certificatePart(first) {
	const list = h('div', {});
	const where = notice();
	const show = certificates => fill(list, certificateList(certificates));
	show(first);
	return [list, where.node, h('div', { class: 'actions' },
		button(t('certificate.ca'), async () => save(await get('/certificates/ca?form=pem')), { where }),
		sure(t('certificate.renew'), t('certificate.renew.sure'), async () => { show(await post('/certificates/renew')); where.say(t('certificate.renewed')); }, where, ''))];
}

function cryptoForm(config, page) {
	const { crypto, pki } = config;
	return keysForm([
		choiceKey('crypto.offload', t('crypto.offload'), crypto.offload, ['auto', 'off', 'crypto', 'packet'].map(each => [each, t(`offload.${each}`)]), { hint: t('crypto.offload.hint') }),
		choiceKey('pki.revocation', t('crypto.revocation'), pki.revocation, ['strict', 'soft', 'off'].map(each => [each, t(`revocation.${each}`)]), { expert: true }),
		choiceKey('pki.key_type', t('crypto.key'), pki.key_type, ['rsa2048', 'rsa3072', 'rsa4096', 'ecdsa256', 'ecdsa384'].map(each => [each, each]), { expert: true, hint: t('crypto.key.hint') }),
		listKey('crypto.order', t('crypto.order'), crypto.order, { expert: true, hint: t('crypto.order.hint') }),
		flagKey('crypto.self_test', t('crypto.test'), crypto.self_test, { expert: true })
	], page);
}
