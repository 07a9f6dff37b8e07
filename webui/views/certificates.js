/* Certificates as they stand. */

import { day } from '../format.js';
import { h } from '../dom.js';
import { t, told } from '../i18n.js';
import { facts } from '../parts.js';

export function certificateList(certificates) {
	return certificates.map(each => facts([
		[told(`certificate.what.${each.what}`, each.what), each.subject],
		[t('certificate.until'), `${day(each.ends)} (${t('certificate.left', { days: each.days_left })})`],
		[t('certificate.fingerprint'), h('span', { class: 'mono' }, each.fingerprint), true]]));
}
