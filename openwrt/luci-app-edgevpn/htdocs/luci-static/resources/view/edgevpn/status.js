'use strict';
'require view';
'require dom';
'require poll';
'require rpc';
'require ui';

const callStatus = rpc.declare({ object: 'luci.edgevpn', method: 'status' });
const callSiteUp = rpc.declare({ object: 'luci.edgevpn', method: 'site_up', params: [ 'name' ] });
const callSiteDown = rpc.declare({ object: 'luci.edgevpn', method: 'site_down', params: [ 'name' ] });
const callReload = rpc.declare({ object: 'luci.edgevpn', method: 'reload' });
const callService = rpc.declare({ object: 'luci.edgevpn', method: 'service', params: [ 'action' ] });
const callTicket = rpc.declare({ object: 'luci.edgevpn', method: 'ticket' });

/* Children of E() always go in an array: a bare string would be taken as HTML, and peers choose some of these texts. */
function cell(...content) {
	return E('td', { 'class': 'td' }, content);
}

function row(...cells) {
	return E('tr', { 'class': 'tr' }, cells);
}

function table(titles, rows, empty) {
	return E('table', { 'class': 'table' }, [
		E('tr', { 'class': 'tr table-titles' }, titles.map(title => E('th', { 'class': 'th' }, [ title ]))),
		...(rows.length ? rows : [ E('tr', { 'class': 'tr placeholder' }, [ E('td', { 'class': 'td' }, [ E('em', {}, [ empty ]) ]) ]) ])
	]);
}

function section(title, ...content) {
	return E('div', { 'class': 'cbi-section' }, [ E('h3', {}, [ title ]), ...content ]);
}

function button(title, kind, handler, disabled) {
	return E('button', {
		'class': 'btn cbi-button cbi-button-' + kind,
		'click': ui.createHandlerFn(null, handler),
		'disabled': disabled ? 'disabled' : null
	}, [ title ]);
}

/* A time in its two largest units. */
function age(seconds) {
	const units = [ [ 86400, _('d') ], [ 3600, _('h') ], [ 60, _('min') ], [ 1, _('s') ] ];
	const first = units.findIndex(([ length ]) => seconds >= length);
	let left = Math.max(0, Math.floor(seconds));
	let parts = [];

	for (const [ length, name ] of units.slice(first < 0 ? 3 : first).slice(0, 2)) {
		parts.push(Math.floor(left / length) + ' ' + name);
		left = left % length;
	}

	return parts.join(' ');
}

function octets(count) {
	const units = [ 'B', 'kB', 'MB', 'GB', 'TB' ];
	let unit = 0;

	while (count >= 1000 && unit < units.length - 1) {
		count = count / 1000;
		unit = unit + 1;
	}

	return (unit && count < 100 ? count.toFixed(1) : Math.round(count)) + ' ' + units[unit];
}

function stateName(state) {
	return { up: _('Up'), connecting: _('Connecting'), down: _('Down') }[state] ?? state;
}

function errorText(error) {
	switch (error.code) {
	case 'down': return _('The daemon is not running.');
	case 'blocked': return _('The browser has not let a new window be opened.');
	case 'silent': return _('The daemon did not answer in time; what was asked may still be under way.');
	}

	const lines = Array.isArray(error.data) ? error.data : [];

	return [ error.message ?? String(error.code), ...lines ].join('\n');
}

/* Tell what went wrong, if something did; the answer is handed on. */
function told(answer) {
	if (answer.error)
		ui.addNotification(null, E('p', {}, [ errorText(answer.error) ]), answer.error.code == 'silent' ? 'info' : 'warning');

	return answer;
}

/* The window has to be opened by the click itself: after the answer the browser would block it. */
function openPanel(port) {
	const page = window.open('about:blank', '_blank');

	if (!page) {
		told({ error: { code: 'blocked' } });
		return Promise.resolve();
	}

	return callTicket().then(told).then(answer => {
		if (answer.error) {
			page.close();
			return;
		}

		page.opener = null;
		page.location = 'https://' + window.location.hostname + ':' + port + '/#ticket=' + encodeURIComponent(answer.result.ticket);
	});
}

function serviceSection(answer) {
	const running = answer.running;
	const state = running.daemon ? _('Running') : _('Not running');
	const panel = running.web ? _('Running') : _('Not running');
	const rows = [ row(cell(_('Service')), cell(state)), row(cell(_('Panel')), cell(panel)) ];

	if (answer.result) {
		rows.push(row(cell(_('Version')), cell(answer.result.version)));
		rows.push(row(cell(_('Running for')), cell(age(Date.now() / 1000 - answer.result.started))));
	}

	return section(_('Service'),
		E('table', { 'class': 'table' }, rows),
		E('div', { 'class': 'right' }, [
			button(_('Open panel'), 'apply', () => openPanel(answer.port ?? '8443'), !running.web), ' ',
			button(_('Reload'), 'reload', () => callReload().then(told), !running.daemon), ' ',
			button(_('Start'), 'positive', () => callService('start').then(told), running.daemon), ' ',
			button(_('Restart'), 'action', () => callService('restart').then(told), !running.daemon), ' ',
			button(_('Stop'), 'negative', () => callService('stop').then(told), !running.daemon)
		]));
}

function healthSection(status) {
	const lines = [];

	if (status.kernel == 'memory')
		lines.push(_('The daemon runs without a kernel: no traffic flows.'));

	for (const entry of status.health ?? [])
		lines.push([ entry.message, entry.cure ].filter(text => text).join(' '));

	if (!lines.length)
		return section(_('Health'), E('p', {}, [ _('No fault is known.') ]));

	return section(_('Health'), ...lines.map(line => E('div', { 'class': 'alert-message warning' }, [ line ])));
}

function siteRow(site) {
	const ike = site.ike[0];
	const children = site.ike.flatMap(each => each.children);
	const sum = key => octets(children.reduce((total, child) => total + child[key], 0));

	return row(
		cell(site.name),
		cell(stateName(site.state)),
		cell(ike ? ike.remote : site.remote),
		cell(ike ? age(Date.now() / 1000 - ike.established) : '-'),
		cell(children.length ? sum('bytes_in') : '-'),
		cell(children.length ? sum('bytes_out') : '-'),
		cell(children.length ? children[0].suite : '-'),
		cell(
			button(_('Up'), 'positive', () => callSiteUp(site.name).then(told), site.state == 'up'), ' ',
			button(_('Down'), 'negative', () => callSiteDown(site.name).then(told), site.state == 'down')
		)
	);
}

function sitesSection(sites) {
	const titles = [ _('Name'), _('State'), _('Peer'), _('For'), _('In'), _('Out'), _('Cipher'), '' ];

	return section(_('Sites'), table(titles, sites.map(siteRow), _('No site is configured.')));
}

function devicesSection(devices) {
	const titles = [ _('Name'), _('State'), _('Address'), _('From') ];
	const rows = devices.map(device => row(
		cell(device.name), cell(stateName(device.state)), cell(device.address ?? '-'), cell(device.remote ?? '-')));

	return section(_('Devices'), table(titles, rows, _('No device is configured.')));
}

function content(answer) {
	const parts = [ serviceSection(answer) ];

	if (answer.result) {
		parts.push(healthSection(answer.result), sitesSection(answer.result.sites));

		if (answer.result.devices)
			parts.push(devicesSection(answer.result.devices));
	}
	else {
		parts.push(section(_('Health'), E('div', { 'class': 'alert-message warning' }, [ errorText(answer.error) ])));
	}

	return parts;
}

return view.extend({
	load() {
		return callStatus();
	},

	render(answer) {
		const container = E('div', {}, content(answer));

		poll.add(() => callStatus().then(fresh => dom.content(container, content(fresh))), 5);

		return E([], [ E('h2', {}, [ 'edgevpn' ]), container ]);
	},

	handleSaveApply: null,
	handleSave: null,
	handleReset: null
});
