"""The kernel's side: interfaces, routes and firewall of sites and pools, and the SAs of their tunnels."""
