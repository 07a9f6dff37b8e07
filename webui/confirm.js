/* What was applied stands only when it is confirmed: if the change has cut us off, it is undone by itself. */

import { now, post } from './api.js';
import { fill, h } from './dom.js';
import { t } from './i18n.js';
import { button, notice } from './parts.js';

export const SECONDS = 60;
const KEPT = 'edgevpn.confirm';
const bar = h('div', { class: 'confirm', role: 'alertdialog', hidden: true });
let timer = null;

export function confirmBar() {
	return bar;
}

/* Asks whether a change stands, if it waits for that. */
export function applied(result) {
	if (result?.confirm_before) {
		const before = Date.now() / 1000 + result.confirm_before - now();
		localStorage.setItem(KEPT, String(before));
		ask(before, result.plan.drops);
	}
	return result;
}

/* A page that is loaded anew asks again; and as long as a change waits no other can be made, so other tabs ask, too. */
export function resume() {
	addEventListener('storage', elsewhere);
	const before = Number(localStorage.getItem(KEPT) ?? 0);
	if (before * 1000 > Date.now())
		ask(before);
}

function elsewhere({ key, newValue }) {
	if (key !== KEPT)
		return;
	const inside = document.activeElement;
	if (newValue)
		ask(Number(newValue), [], () => {});
	else
		close();
	inside?.focus({ preventScroll: true });
}

/* `before` is told by the browser's clock; `over` is done when nobody has answered by then. */
function ask(before, drops = [], over = changed) {
	clearInterval(timer);
	const left = h('strong', {});
	const where = notice();
	const keep = button(t('confirm.keep'), async () => { await post('/config/confirm'); close(); }, { kind: 'main', where });
	const undo = button(t('confirm.undo'), async () => { await post('/config/rollback', { number: 1 }); close(); changed(); }, { where });
	fill(bar, h('p', {}, t('confirm.question'), ' ', left), drops.length > 0 && h('p', {}, t('plan.drops', { names: drops.join(', ') })), h('div', { class: 'actions' }, keep, undo), where.node);
	bar.setAttribute('aria-label', t('confirm.title'));
	bar.hidden = false;
	const tick = () => {
		const seconds = Math.ceil(before - Date.now() / 1000);
		left.textContent = t('confirm.left', { seconds: Math.max(0, seconds) });
		if (seconds <= 0) {
			close();
			over();
		}
	};
	tick();
	timer = setInterval(tick, 1000);
	keep.focus();
}

function close() {
	clearInterval(timer);
	localStorage.removeItem(KEPT);
	bar.hidden = true;
	fill(bar);
}

function changed() {
	dispatchEvent(new HashChangeEvent('hashchange'));
}
