/* What happens, as it happens: the stream of events, and the rates of the last minutes. */

const TOPICS = ['site', 'device', 'traffic', 'attempt', 'log', 'config', 'daemon', 'link', 'hello', 'logged_out'];
const KEPT = 60;
let source = null;
const listeners = new Map();
const rates = { sites: new Map(), devices: new Map() };

/* Calls back for each event of a topic, until the function that is returned is called. */
export function on(topic, callback) {
	if (!listeners.has(topic))
		listeners.set(topic, new Set());
	listeners.get(topic).add(callback);
	return () => listeners.get(topic).delete(callback);
}

function tell(topic, data) {
	if (topic === 'traffic')
		keepRates(data);
	for (const callback of [...listeners.get(topic) ?? []])
		callback(data);
}

function keepRates(traffic) {
	for (const kind of ['sites', 'devices']) {
		for (const name of rates[kind].keys())
			if (!Object.hasOwn(traffic[kind], name))
				push(kind, name, { received: 0, sent: 0 });
		for (const [name, amount] of Object.entries(traffic[kind])) {
			const seconds = Math.max(traffic.seconds, 0.001);
			push(kind, name, { received: amount.received / seconds, sent: amount.sent / seconds });
		}
	}
}

function push(kind, name, point) {
	const points = rates[kind].get(name) ?? [];
	points.push(point);
	rates[kind].set(name, points.slice(-KEPT));
}

/* Octets a second of late, the oldest first. */
export function ratesOf(kind, name) {
	return rates[kind].get(name) ?? [];
}

export function start() {
	stop();
	source = new EventSource('/api/v1/events');
	for (const topic of TOPICS)
		source.addEventListener(topic, event => tell(topic, JSON.parse(event.data)));
	source.addEventListener('error', () => {
		tell('daemon', { reachable: false });
		if (source?.readyState === EventSource.CLOSED)
			setTimeout(() => source && start(), 3000);
	});
}

export function stop() {
	source?.close();
	source = null;
}
