/* As much of ucode as the plugin uses, over functions that the test gives: host_connect, host_send, host_receive. */

const length = value => value.length;
const substr = (text, start) => text.slice(start);
const index = (list, value) => list.indexOf(value);
const int = number => Math.trunc(number);
const clock = monotonic => [ Math.floor(host_clock()), (host_clock() % 1) * 1e9 ];
const json = JSON.parse;
const sprintf = (format, value) => {
	if (format != '%J\n')
		throw new Error('another format: ' + format);
	return JSON.stringify(value) + '\n';
};
const ran = [];
const system = command => ran.push(command);

const modules = {
	socket: {
		POLLIN: 1,
		connect: path => host_connect(path) ? { send: host_send, recv: host_receive, close: host_close } : null,
		poll: (milliseconds, watched) => [ [ watched[0], host_wait(milliseconds) ] ]
	},
	ubus: { connect: () => ({ call: (object, method, values) => JSON.parse(host_ubus(object, method)) }) },
	uci: { cursor: () => ({ get: (...place) => place.join('.') }) }
};
const require = name => modules[name];
