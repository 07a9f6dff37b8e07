/* The HTTP API: every request goes through here, and every refusal comes out as an ApiError. */

const BASE = '/api/v1';
let token = '';
let onLoggedOut = () => {};
let ahead = 0;

export class ApiError extends Error {
	constructor(status, error) {
		super(error.message);
		this.status = status;
		this.code = error.code;
		this.problems = error.problems ?? [];
	}
}

export function setToken(csrf) {
	token = csrf;
}

/* Called when the session is over. */
export function whenLoggedOut(callback) {
	onLoggedOut = callback;
}

/* What time it is where the router is, in Unix seconds: its clock or the browser's may be wrong. */
export function now() {
	return Date.now() / 1000 + ahead;
}

/* Seconds by which a clock that tells whole ones is before ours; none where that may be the way of the answer. */
function aheadBy(milliseconds) {
	const seconds = (milliseconds - Date.now()) / 1000 + 0.5;
	return Math.abs(seconds) > 3 ? seconds : 0;
}

/* A path from its parts, whatever is in them. */
export function at(...parts) {
	return '/' + parts.map(encodeURIComponent).join('/');
}

export async function ask(verb, path, body) {
	const headers = {};
	if (verb !== 'GET')
		headers['X-CSRF-Token'] = token;
	if (body !== undefined)
		headers['Content-Type'] = 'application/json';
	let response;
	try {
		response = await fetch(BASE + path, { method: verb, headers, body: body === undefined ? undefined : JSON.stringify(body) });
	}
	catch {
		throw new ApiError(0, { code: 'unreachable', message: 'The panel does not answer.' });
	}
	ahead = aheadBy(Date.parse(response.headers.get('Date')));
	const answer = response.status === 204 ? null : await response.json().catch(() => null);
	if (response.ok)
		return answer;
	const error = new ApiError(response.status, answer?.error ?? { code: 'fault', message: `HTTP ${response.status}` });
	if (response.status === 401)
		onLoggedOut();
	throw error;
}

export const get = path => ask('GET', path);
export const post = (path, body = {}) => ask('POST', path, body);
export const put = (path, body) => ask('PUT', path, body);
export const patch = (path, body) => ask('PATCH', path, body);
export const remove = path => ask('DELETE', path);
