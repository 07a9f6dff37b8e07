# What the packages use of a router's /lib/functions.sh and of procd's shell functions, written for these tests from what
# those do: settings are read for real, and each call to procd leaves a line in $ROUTER/calls.

note() {
	local line="$*"
	printf '%s\n' "${line% }" >>"$ROUTER/calls"
}

# busybox has these itself and would not look for programs.
logger() { note logger "$@"; }
chown() { note chown "$@" && [ ! -e "$ROUTER/chown-fails" ]; }

# UCI files are shell scripts by their syntax: config, option and list are called as they are read.
config_load() {
	sections='' section=
	[ -f "$ROUTER/etc/config/$1" ] && . "$ROUTER/etc/config/$1"
}
config() {
	count=$((${count:-0} + 1))
	section=${2:-cfg$count}
	sections="$sections $section"
	eval "TYPE_$section=\$1"
}
option() { eval "CONFIG_${section}_$1=\$2"; }
list() { eval "CONFIG_${section}_$1=\"\${CONFIG_${section}_$1:+\$CONFIG_${section}_$1 }\$2\""; }
config_get() { eval "$1=\${CONFIG_${2}_$3:-\$4}"; }
config_get_bool() {
	local given
	config_get given "$2" "$3" "$4"
	case "$given" in
	1 | on | true | yes | enabled) given=1 ;;
	0 | off | false | no | disabled) given=0 ;;
	*) given=$4 ;;
	esac
	eval "$1=\$given"
}
config_foreach() {
	local each kind
	for each in $sections; do
		eval "kind=\$TYPE_$each"
		[ "$kind" != "$2" ] || "$1" "$each"
	done
}
config_list_foreach() {
	local each values
	config_get values "$1" "$2"
	for each in $values; do "$3" "$each"; done
}

for call in procd_open_instance procd_close_instance procd_set_param procd_append_param procd_add_jail procd_open_data \
	procd_close_data procd_add_reload_trigger procd_add_reload_interface_trigger procd_set_config_changed \
	json_add_object json_close_object json_add_array json_close_array json_add_string; do
	eval "$call() { note $call \"\$@\"; }"
done
procd_running() { [ -e "$ROUTER/running-$2" ]; }

default_postinst() {
	local script
	for script in $(grep '^/etc/uci-defaults/' "$info.list"); do
		(. "$ROUTER$script") && rm -f "$ROUTER$script"
	done
	[ ! -f "$info.postinst-pkg" ] || (. "$info.postinst-pkg")
	for script in $(grep '^/etc/init.d/' "$info.list"); do
		[ "$PKG_UPGRADE" = 1 ] || $RUNNER "$ROUTER/etc/rc.common" "$ROUTER$script" enable
		$RUNNER "$ROUTER/etc/rc.common" "$ROUTER$script" start
	done
}
default_prerm() {
	local script
	[ ! -f "$info.prerm-pkg" ] || (. "$info.prerm-pkg")
	for script in $(grep '^/etc/init.d/' "$info.list"); do
		[ "$PKG_UPGRADE" = 1 ] || $RUNNER "$ROUTER/etc/rc.common" "$ROUTER$script" disable
		$RUNNER "$ROUTER/etc/rc.common" "$ROUTER$script" stop
	done
}
