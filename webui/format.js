/* Numbers and times as people read them, in the browser's zone. */

import { now } from './api.js';
import { currentLanguage, t } from './i18n.js';

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

export function octets(count) {
	let unit = 0;
	while (count >= 1000 && unit < UNITS.length - 1) {
		count /= 1000;
		unit += 1;
	}
	return `${unit && count < 100 ? count.toFixed(1) : Math.round(count)} ${UNITS[unit]}`;
}

export function rate(octetsPerSecond) {
	const bits = octetsPerSecond * 8;
	if (bits < 1000)
		return `${Math.round(bits)} bit/s`;
	return octets(bits).replace(' kB', ' kbit/s').replace(' MB', ' Mbit/s').replace(' GB', ' Gbit/s').replace(' TB', ' Tbit/s');
}

/* How long ago, or how long, in its largest unit. */
export function age(seconds) {
	const whole = Math.max(0, Math.floor(seconds));
	const [unit, count] = whole >= 86400 ? ['day', whole / 86400] : whole >= 3600 ? ['hour', whole / 3600] :
		whole >= 60 ? ['minute', whole / 60] : ['second', whole];
	const number = new Intl.NumberFormat(currentLanguage(), { style: 'unit', unit, unitDisplay: 'short' });
	return number.format(Math.floor(count));
}

export function since(unix) {
	return age(now() - unix);
}

export function ago(unix) {
	return t('time.ago', { time: since(unix) });
}

export function moment(unix) {
	return new Intl.DateTimeFormat(currentLanguage(), { dateStyle: 'medium', timeStyle: 'medium' }).format(unix * 1000);
}

export function day(unix) {
	return new Intl.DateTimeFormat(currentLanguage(), { dateStyle: 'medium' }).format(unix * 1000);
}

/* To the minute: for what happened some time ago. */
export function minute(unix) {
	return new Intl.DateTimeFormat(currentLanguage(), { dateStyle: 'medium', timeStyle: 'short' }).format(unix * 1000);
}

/* A list that somebody typed, with commas, spaces or lines between. */
export function listed(text) {
	return text.split(/[\s,]+/).filter(Boolean);
}
