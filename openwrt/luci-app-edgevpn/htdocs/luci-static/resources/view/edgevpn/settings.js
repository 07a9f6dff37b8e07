'use strict';
'require view';
'require form';

return view.extend({
	render() {
		const map = new form.Map('edgevpn', 'edgevpn',
			_('What OpenWrt needs to run the service. Sites and devices are set in the panel, or in the file.'));
		let section, option;

		section = map.section(form.NamedSection, 'main', 'edgevpn', _('Service'));
		section.addremove = false;

		option = section.option(form.Flag, 'enabled', _('Enabled'));
		option.rmempty = false;

		option = section.option(form.DummyValue, 'file', _('Configuration file'));

		option = section.option(form.ListValue, 'log_level', _('Log level'),
			_('To change it restarts the daemon, and all tunnels with it.'));
		option.value('', _('as the file says'));
		for (const level of [ 'debug', 'info', 'warning', 'error' ])
			option.value(level, level);
		option.optional = true;

		option = section.option(form.DynamicList, 'zone', _('Reachable from'),
			_('Zones of the firewall from which IKE and ESP are let in.'));
		option.datatype = 'uciname';

		section = map.section(form.NamedSection, 'web', 'web', _('Panel'));
		section.addremove = false;

		option = section.option(form.Flag, 'enabled', _('Enabled'));
		option.rmempty = false;

		option = section.option(form.Value, 'port', _('Port'));
		option.datatype = 'port';
		option.placeholder = '8443';

		return map.render();
	}
});
