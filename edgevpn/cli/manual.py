"""What `--help` says of each command beyond its options: what it does, and what holds for all of them."""

from __future__ import annotations

from collections.abc import Mapping

ALIKE = """\
exit status:
  0    done
  1    not done: one sentence on standard error says why, and what helps
  2    the configuration is bad or would be, a line for each fault; or this command line is not understood
  130  interrupted

environment:
  EDGEVPN_SOCKET            the daemon's control socket
  NO_COLOR                  if set, no colours on a terminal
  LC_ALL, LC_MESSAGES, LANG the language of diagnose and doctor: English or Japanese

files:
  /etc/edgevpn/edgevpn.toml      the configuration
  /etc/edgevpn/secrets.toml      secrets that edgevpn has made, for its owner alone
  /etc/edgevpn/versions/         the last five versions of both
  /etc/edgevpn/pki/, state/      keys and certificates; leases, usage and what else outlives a restart
  /var/run/edgevpn/control.sock  the daemon's control socket"""
"""Below every help."""

_BY_DAEMON = (
    "The daemon does it, and it holds at once; where it does not run, or with -c, it is done to the file alone."
)

DESCRIPTIONS: Mapping[str, str] = {
    "": "IKEv2 gateway for OpenWrt and Linux: sites, and phones and laptops by the clients that they have.",
    "run": "Run the gateway in the foreground until SIGTERM; SIGHUP has it read its file again. The log goes to"
    " standard error. It needs root, or CAP_NET_ADMIN and CAP_NET_BIND_SERVICE, and CAP_NET_RAW to lose no packet when"
    " keys change. A bad file ends it with status"
    " 2 at the start, and changes nothing later.",
    "status": "Show each site with its tunnels, their networks, ciphers and bytes, and each device that is in. Below"
    " the sites it says why those that are not up are not.",
    "log": "Show the last lines of the daemon's log, which it keeps whatever becomes of its standard error.",
    "metrics": "Print all counters in the format of Prometheus; with --json as a list of names, labels and values.",
    "up": "Bring a site up, wait until it is, and say why if it does not come up. A site that `down` has closed may be"
    " called by its peer again.",
    "down": "Close a site and keep it closed, for its peer too, until `up` or until its configuration changes.",
    "rekey": "Give the tunnels of a site new keys now, without a lost packet, and wait until they are in use.",
    "diagnose": "Say of those who tried to connect, and of sites that we called, how far it came, what was wrong, on"
    " which side it is, and what helps. The newest attempt of each is told. It is status 1 if there was none.",
    "replay": "Judge the attempts of a bundle by another file, offline and on any machine: whether what failed would"
    " pass now. It is status 0 if all would, 1 if not or if that cannot be told, 2 for a bad bundle or file.",
    "doctor": "Look at kernel, ports, firewall, WAN, names, clock, certificates and space, and say what is amiss and"
    " what helps, the worst first. It is status 1 if anything is bad.",
    "firewall": "Our own nft table, and what other firewalls do to IKE and ESP.",
    "firewall show": "Print the nft table that edgevpn keeps, with its counters.",
    "firewall check": "Look whether callers reach us: ports, other chains that drop IKE or ESP, the WAN's address, the"
    " public name. It is status 1 if anything is bad.",
    "repair": "Put back what of ours somebody has taken out of the kernel or the firewall, and say each step as a"
    " command. The daemon does so by itself when the kernel tells. It is status 1 if a step could not be done.",
    "bench": "Measure ciphers with real packets, key exchanges and signatures. It needs root and some seconds.",
    "offload": "Show the kernel's ciphers as they were tried and measured, network cards that could cipher, and who"
    " does it for each SA.",
    "reload": "Have the daemon read its file again. What has not changed does not notice; a bad file changes nothing.",
    "web": "Serve the panel, in the foreground, as a process of its own that needs no rights but the control socket.",
    "setup-token": "Print where to open the panel without its password. Each link is good once, and for a short time.",
    "check": "Say all that is wrong with a configuration file, a line for each fault with file, line, key, value, what"
    " is allowed, and what helps. What is only odd is a warning, and the file good.",
    "config": "Show, explain and change the configuration.",
    "config show": "Print the configuration as it is written, its secrets masked; with --defaults every key there is.",
    "config schema": "Print the form of the file as JSON Schema, by which editors complete and judge it.",
    "config explain": "Say of a key what it does, what it may be, what holds without it, and what a change of it does"
    " to tunnels that are up. KEY may be short: mtu is that of sites and pools.",
    "config set": f"Give a key a value. Comments and order stay; nothing is written that is wrong. {_BY_DAEMON}",
    "config unset": f"Take a key out, so that what holds without it holds. {_BY_DAEMON}",
    "config versions": "List the last five versions of the file and its secrets, the newest first.",
    "config rollback": f"Go back to an earlier version; what is now becomes the newest of them. {_BY_DAEMON}",
    "device": "Phones and laptops: who may come in, how, and with which profile.",
    "device list": "List every device: how it logs in, whether it is in, from where, and what it has used today.",
    "device show": "Show all that is known of a device: its settings, sessions, use and certificates.",
    "device add": f"Add a device. A password or pre-shared key is made for it and shown this once. {_BY_DAEMON}",
    "device set": f"Change keys of a device; a session that does not fit any more ends. {_BY_DAEMON}",
    "device enable": f"Let a device in again. {_BY_DAEMON}",
    "device disable": f"Keep a device out, and end its sessions. {_BY_DAEMON}",
    "device remove": f"Forget a device, with its secrets; the daemon revokes its certificates too. {_BY_DAEMON}",
    "device reset": "Make a new password or pre-shared key and print it, once. One that logs in by certificate gets the"
    " password that opens the file of its next certificate.",
    "device revoke": "Revoke all certificates of a device and show it out. The next export makes a new one.",
    "device export": "Make the profile of a device, in the form that its platform reads. One that logs in by"
    " certificate gets a new certificate with it.",
    "site": "Tunnels to other gateways.",
    "site list": "List every site: with the daemon how it stands, without it how it is configured.",
    "site show": "Show all that is known of a site: with the daemon how it stands too.",
    "site add": "Add a site. Unless it brings a pre-shared key one is made: printed where the file is changed, in the"
    f" snippet for the other end where the daemon does it. {_BY_DAEMON}",
    "site set": f"Change keys of a site; whether that drops its tunnels is said. {_BY_DAEMON}",
    "site remove": f"Forget a site, with its children and secrets; its tunnels are closed. {_BY_DAEMON}",
    "site up": "Bring a site up, wait until it is, and say why if it does not come up.",
    "site down": "Close a site and keep it closed, for its peer too, until it is brought up or configured anew.",
    "site rekey": "Give the tunnels of a site new keys now, without a lost packet, and wait until they are in use.",
    "site reach": "Ask a host behind a site whether it answers, by ping or TCP, from our network and through the"
    " tunnel, so that traffic passes both ways. It is status 1 if it does not answer.",
    "site snippet": "Write what the other end has to be told, in the words of its software, secrets included. Of sites"
    " with certificates it is an archive, and each one holds a new certificate.",
    "simulate": "Play a client of another make against a gateway, and tell each step: it logs in, pings through the"
    " tunnel, and if asked gets new keys, roams and stays, and pings anew each time. Its ESP is in UDP, as behind a"
    " NAT, and made by the program itself: it needs no rights, and the machine is left as it is. It is status 1 if it"
    " was not let in, did not stay in, or no ping to one of the addresses was answered.",
    "apply": "Make a file the configuration, as a whole: say what changes and which tunnels drop. With --confirm it is"
    f" undone by itself unless somebody confirms it, so that nobody locks himself out. {_BY_DAEMON}",
    "confirm": "Let stand what was applied, restored or set with --confirm.",
    "pki": "The certificate authority, and the gateway's certificates.",
    "pki init": f"Make the CA, under a name; a public name in the configuration makes one by itself. {_BY_DAEMON}",
    "pki show": "Show the CA and the gateway's certificates: whose, until when, and their fingerprints.",
    "pki renew": "Issue the gateway's certificates anew, now. It happens by itself when a third of their time is left.",
    "pki import": f"Take a CA with its key from elsewhere, in the place of ours. {_BY_DAEMON}",
    "pki export-ca": "Write the CA's certificate, for whoever has to trust it. Its key never leaves the gateway.",
    "backup": "Write configuration, secrets, keys, certificates and leases into one file, encrypted by a password.",
    "restore": f"Put everything back as a backup holds it, or nothing. {_BY_DAEMON}",
    "completion": "Print what a shell completes commands and options by. Debian's package has it where shells look;"
    " elsewhere write it there: bash reads /usr/share/bash-completion/completions/edgevpn, zsh _edgevpn in its fpath.",
    "version": "Print the version.",
}
"""What each command does, by its words."""
