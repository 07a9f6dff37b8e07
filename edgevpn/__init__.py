"""edgevpn: an IKEv2 gateway for OpenWrt routers."""

__version__ = "0.1.0"
