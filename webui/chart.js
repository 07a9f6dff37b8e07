/* Small pictures of numbers. What they say is said in text beside them too. */

import { svg } from './dom.js';
import { octets } from './format.js';

const WIDTH = 120;
const HEIGHT = 28;

function line(points, key, highest) {
	const step = WIDTH / Math.max(points.length - 1, 1);
	return points.map((point, index) => `${(index * step).toFixed(1)},${(HEIGHT - 1 - (point[key] / highest) * (HEIGHT - 3)).toFixed(1)}`).join(' ');
}

/* Rates of the last minutes: received and sent. */
export function sparkline(points) {
	const highest = Math.max(1000, ...points.map(point => Math.max(point.received, point.sent)));
	return svg('svg', { class: 'spark', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' },
		svg('polyline', { class: 'received', points: line(points, 'received', highest) }),
		svg('polyline', { class: 'sent', points: line(points, 'sent', highest) }));
}

/* Octets by day or month, one bar each. */
export function bars(periods) {
	const highest = Math.max(1, ...periods.map(each => each.received + each.sent));
	const width = 100 / Math.max(periods.length, 7);
	return svg('svg', { class: 'bars', viewBox: '0 0 100 40', preserveAspectRatio: 'none', role: 'img', 'aria-label': summary(periods) },
		periods.map((each, index) => {
			const received = 40 * each.received / highest;
			const sent = 40 * each.sent / highest;
			const x = index * width + width * 0.1;
			return svg('g', {},
				svg('title', {}, `${each.period}: ${octets(each.received + each.sent)}`),
				svg('rect', { class: 'sent', x, width: width * 0.8, y: 40 - sent, height: sent }),
				svg('rect', { class: 'received', x, width: width * 0.8, y: 40 - sent - received, height: received }));
		}));
}

function summary(periods) {
	return periods.map(each => `${each.period}: ${octets(each.received + each.sent)}`).join(', ');
}

/* A QR code from its rows of 0 and 1, with the quiet zone that readers need, black on white in any theme. */
export function qrCode(rows, label) {
	const size = rows.length + 8;
	const path = rows.flatMap((row, y) => [...row].map((cell, x) => cell === '1' ? `M${x + 4} ${y + 4}h1v1h-1z` : '')).join('');
	return svg('svg', { class: 'qr', viewBox: `0 0 ${size} ${size}`, role: 'img', 'aria-label': label, 'shape-rendering': 'crispEdges' },
		svg('rect', { width: size, height: size, fill: '#fff' }), svg('path', { d: path, fill: '#000' }));
}
