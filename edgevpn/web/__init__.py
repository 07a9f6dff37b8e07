"""The local web panel: a client of the control socket."""
