/* The words of the panel, in the browser's language or the one that was chosen. */

import { english } from './lang/en.js';

const LANGUAGES = { en: 'English', ja: '日本語' };
const KEPT = 'edgevpn.language';
let words = english;
let language = 'en';

export function languages() {
	return Object.entries(LANGUAGES);
}

export function currentLanguage() {
	return language;
}

/* What the browser's owner reads; the first of their languages that we have. */
function preferred() {
	const chosen = localStorage.getItem(KEPT);
	const wanted = [chosen, ...navigator.languages].filter(Boolean).map(each => each.slice(0, 2));
	return wanted.find(each => each in LANGUAGES) ?? 'en';
}

export async function loadLanguage() {
	language = preferred();
	words = language === 'ja' ? (await import('./lang/ja.js')).japanese : english;
	document.documentElement.lang = language;
}

export async function chooseLanguage(code) {
	localStorage.setItem(KEPT, code);
	await loadLanguage();
}

/* The words for a key, with {names} filled in. */
export function t(key, values = {}) {
	const text = words[key] ?? english[key] ?? key;
	return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ''));
}

/* The words for what a program says by a code; `otherwise` if we have none for it. */
export function told(key, otherwise, values = {}) {
	return key in words ? t(key, values) : otherwise;
}
