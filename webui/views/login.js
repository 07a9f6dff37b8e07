import { post } from '../api.js';
import { h } from '../dom.js';
import { t } from '../i18n.js';
import { field, form, secretField } from '../parts.js';

export async function load() {}

export function render(_, page) {
	const password = secretField(t('password'), { autocomplete: 'current-password' });
	const code = field(t('login.code'), { hint: t('login.code.hint'), inputmode: 'numeric', autocomplete: 'one-time-code', maxlength: 6 });
	const logIn = async () => {
		const given = page.panel.totp ? { password: password.value, code: code.value } : { password: password.value };
		await page.enter((await post('/login', given)).csrf);
	};
	return h('div', { class: 'narrow' },
		h('h1', {}, t('login.title')),
		h('div', { class: 'card' }, form(t('login.button'), logIn, [password.node, page.panel.totp && code.node])),
		h('p', { class: 'hint' }, t('login.forgotten')));
}
